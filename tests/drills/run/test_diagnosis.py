"""The responder's diagnosis and hints: hints come in order, only the first diagnosis counts, both are audited."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import documents
import pytest
from fakes import FakePager

from lab.cli.main import run
from lab.clients.times import utc_text
from lab.control.lab_clients import LabClients
from lab.drills.grading.scorecard import Diagnosis
from lab.drills.run import diagnosis
from lab.drills.spec.drill import find
from lab.drills.undo.journal import exclusive, undoing
from lab.errors import LabError, UsageError

HINTS = find("INC-001").hints


def page(number: int, at: float) -> dict[str, Any]:
    return documents.page_json(id=number, received_at=utc_text(at))


@pytest.fixture
def running(clients: LabClients) -> Iterator[LabClients]:
    """The clients of a lab on which INC-001 runs."""
    with exclusive(clients.home), undoing(clients, "INC-001"):
        yield clients


def test_hints_are_bought_one_after_the_other_once_somebody_was_paged(running: LabClients, pager: FakePager) -> None:
    with pytest.raises(LabError, match="nobody has been paged yet"):
        diagnosis.buy_hint(running)
    pager.pages = [page(1, time.time() - 3600)]
    with pytest.raises(LabError, match="nobody has been paged yet"):
        diagnosis.buy_hint(running)
    pager.pages.append(page(2, time.time() + 1))
    assert [diagnosis.buy_hint(running) for _ in HINTS] == [
        (number, len(HINTS), text) for number, text in enumerate(HINTS, start=1)
    ]
    with pytest.raises(LabError, match="hints were bought"):
        diagnosis.buy_hint(running)
    assert diagnosis.hints(documents.audit_rows(pager.rows.values())) == len(HINTS)
    assert not any(HINTS[0] in str(row) for row in pager.rows.values()), "the audit log must not give hints away"


def test_only_the_first_diagnosis_counts_and_a_second_one_is_refused(running: LabClients, pager: FakePager) -> None:
    pager.pages = [page(1, time.time() - 3600), page(2, time.time() + 1)]
    with pytest.raises(UsageError, match="older than this drill"):
        diagnosis.diagnose(running, 1, ("db",), "capacity")
    assert diagnosis.diagnosis(documents.audit_rows(pager.rows.values())) is None
    diagnosis.diagnose(running, 2, ("feed-canary", "db"), "binary push")
    with pytest.raises(
        LabError, match=r"ada has locked in feed-canary, db \(binary push\); only the first diagnosis counts"
    ):
        diagnosis.diagnose(running, 2, ("cache",), "operator")
    assert diagnosis.diagnosis(documents.audit_rows(pager.rows.values())) == Diagnosis(
        ("feed-canary", "db"), "binary push"
    )


def test_without_a_drill_hints_and_diagnoses_are_refused(clients: LabClients, pager: FakePager) -> None:
    pager.pages = [page(1, time.time() + 1)]
    for request in (diagnosis.buy_hint, lambda at: diagnosis.diagnose(at, 1, ("db",), "capacity")):
        with pytest.raises(LabError, match="no drill is running"):
            request(clients)
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
def test_a_diagnosis_with_an_unknown_component_or_class_is_refused(
    words: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["incident", "diagnose", "1", *words]) == 2
    assert named in capsys.readouterr().err
