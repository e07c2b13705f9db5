"""What a responder says while a drill runs: hints come in order, the first diagnosis counts, all of it is audited."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import FakePager

from lab.cli.main import run
from lab.control.desk import Desk
from lab.drills import answers
from lab.drills.journal import exclusive, undoing
from lab.drills.score import Diagnosis
from lab.drills.spec import find
from lab.errors import LabError, UsageError
from lab.oncall.times import utc_text

HINTS = find("INC-001").hints


def page(number: int, at: float) -> dict[str, Any]:
    return {"id": number, "received_at": utc_text(at)}


@pytest.fixture
def running(desk: Desk) -> Iterator[Desk]:
    """A desk on which INC-001 runs."""
    with exclusive(desk.home), undoing(desk, "INC-001"):
        yield desk


def test_hints_are_sold_one_after_the_other_once_somebody_was_paged(running: Desk, pager: FakePager) -> None:
    with pytest.raises(LabError, match="nobody has been paged yet"):
        answers.buy_hint(running)
    pager.pages = [page(1, time.time() - 3600)]
    with pytest.raises(LabError, match="nobody has been paged yet"):
        answers.buy_hint(running)
    pager.pages.append(page(2, time.time() + 1))
    assert [answers.buy_hint(running) for _ in HINTS] == [
        (number, len(HINTS), text) for number, text in enumerate(HINTS, start=1)
    ]
    with pytest.raises(LabError, match="sold"):
        answers.buy_hint(running)
    assert answers.hints(pager.rows.values()) == len(HINTS)
    assert not any(HINTS[0] in str(row) for row in pager.rows.values()), "the audit log must not give hints away"


def test_the_first_diagnosis_counts_and_a_second_one_is_refused(running: Desk, pager: FakePager) -> None:
    pager.pages = [page(1, time.time() - 3600), page(2, time.time() + 1)]
    with pytest.raises(UsageError, match="before this drill"):
        answers.diagnose(running, 1, ("db",), "capacity")
    assert answers.diagnosis(pager.rows.values()) is None
    answers.diagnose(running, 2, ("feed-canary", "db"), "binary push")
    with pytest.raises(LabError, match=r"ada has locked in feed-canary, db \(binary push\); the first one counts"):
        answers.diagnose(running, 2, ("cache",), "operator")
    assert answers.diagnosis(pager.rows.values()) == Diagnosis(("feed-canary", "db"), "binary push")


def test_without_a_drill_there_is_nothing_to_say(desk: Desk, pager: FakePager) -> None:
    pager.pages = [page(1, time.time() + 1)]
    for say in (answers.buy_hint, lambda at: answers.diagnose(at, 1, ("db",), "capacity")):
        with pytest.raises(LabError, match="no drill is running"):
            say(desk)
    assert pager.rows == {}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--component", "feed-canery", "--class", "binary push"], "did you mean 'feed-canary'"),
        (["--component", "db", "--class", "capasity"], "did you mean 'capacity'"),
        (["--component", "none", "--class", "capacity"], "no component 'none'"),
        (["--component", "db", "--class", "control"], "no class 'control'"),
        (["--class", "capacity"], "--component"),
    ],
)
def test_a_diagnosis_that_names_nothing_there_is_is_refused(
    words: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["incident", "diagnose", "1", *words]) == 2
    assert named in capsys.readouterr().err
