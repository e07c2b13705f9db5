"""Verification of a record: a consistent one passes, and one that was changed by hand is refused with the key."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import made_record
import pytest

from lab.cli.main import run
from lab.clients.documents import as_builtins
from lab.clients.times import epoch_seconds, utc_text
from lab.drills.evidence import definitions, record
from lab.drills.evidence.report import VERIFIED, verified
from lab.drills.evidence.verify import Row, verify
from lab.drills.schema.record import parse
from lab.slo.catalogue import LAB, find_slo, load_windows
from lab.slo.replay import Counts

P99 = "feed-latency-p99"


@pytest.fixture
def document() -> dict[str, Any]:
    return copy.deepcopy(made_record.record())


def counted(document: dict[str, Any], bad: Callable[[int], int]) -> None:
    """Replace the bad events of the SLO at stake, with the sums and the budget that follow from them."""
    row = document["counts"][P99]
    row["bad"] = [bad(second) for second in range(-made_record.BEFORE, made_record.AFTER)]
    row["bad_events"] = sum(row["bad"])
    events = Counts(row["total"], row["bad"], row["start_seconds"])
    slo, period = find_slo(P99), load_windows(LAB).period_seconds
    document["budget"][P99] = as_builtins(definitions.budget(events, made_record.AFTER, slo, period))


def test_a_consistent_record_has_predicted_computed_and_measured_times(document: dict[str, Any]) -> None:
    verification = verify(parse(document))
    rows = [replace(row, measured=round(row.measured or 0, 3)) for row in verification.rows]
    assert verification.problems == []
    assert rows == [Row("INC-001", "FeedLatencyP99Burn", "page", "page.quick", 22.3, False, 24.0, 24.2, 36.0, 36.0)]


def later(text: str, seconds: float) -> str:
    """A timestamp, moved."""
    return utc_text(epoch_seconds(text) + seconds)


def shift_alert(document: dict[str, Any], seconds: float) -> None:
    """Move every timestamp of the firing, so that the record stays consistent without its counts."""
    document["alerts"][0]["starts_at"] = later(document["alerts"][0]["starts_at"], seconds)
    document["alerts"][0]["t_seconds"] += seconds
    document["pages"][0]["starts_at"] = later(document["pages"][0]["starts_at"], seconds)
    document["durations"]["detection_seconds"] += seconds
    for row in document["timeline"]:
        if row["kind"] == "firing":
            row["at"], row["t_seconds"] = later(row["at"], seconds), row["t_seconds"] + seconds


def said(share: str) -> Callable[[dict[str, Any]], Any]:
    return lambda document: document["pages"][0]["annotations"].update(description=f"{share} of the events are bad.")


def detailed(words: str) -> Callable[[dict[str, Any]], Any]:
    return lambda document: document["timeline"][2].update(detail=words)


HAND = [
    ("a count", lambda d: d["counts"][P99]["total"].__setitem__(60, 81), f"/counts/{P99}/total_events"),
    ("a bad count", lambda d: d["counts"][P99]["bad"].__setitem__(60, 38), f"/counts/{P99}/bad_events"),
    ("a count gone", lambda d: d["counts"][P99]["bad"].__setitem__(60, None), f"/counts/{P99}: count 60"),
    ("a length", lambda d: d["counts"][P99]["bad"].pop(), f"/counts/{P99}: total has"),
    ("an SLO", lambda d: d["counts"].pop(P99), f"/counts/{P99}: is missing"),
    ("the time of the firing", lambda d: d["alerts"][0].update(starts_at=made_record.at(23.2)), "/alerts/0/t_seconds"),
    ("the time of the firing everywhere", lambda d: shift_alert(d, -4), "/alerts/0/starts_at"),
    ("the first notice", lambda d: d["pages"][0].update(received_at=made_record.at(25.5)), "/pages/0/received_at"),
    ("the first notice's words", said("9.75%"), "/pages/0/annotations/description: says 9.75 %"),
    ("the alert's words", detailed("tier page.quick: 99.99%"), "/timeline/2/detail: is 'tier page.quick: 99.99%'"),
    ("the page's start", lambda d: d["pages"][0].update(starts_at=made_record.at(24.0)), "/pages/0/starts_at"),
    ("the end of the alert", lambda d: d["alerts"][0].update(ends_at=made_record.at(39)), "/alerts/0/ends_at"),
    ("the alert", lambda d: d["alerts"].clear(), "/alerts: page FeedLatencyP99Burn did not fire"),
    ("the tier", lambda d: d["prediction"].update(tier="page.slow"), "/prediction/tier"),
    ("a duration", lambda d: d["durations"].update(mttm_seconds=20.0), "/durations/mttm_seconds"),
    ("the budget", lambda d: d["budget"][P99].update(budget_spent_ratio=0.5), f"/budget/{P99}/budget_spent_ratio"),
    ("an order", lambda d: d["pages"][0].update(acked_at=made_record.at(25)), "/pages/0/acked_at"),
    ("a time that cannot be", lambda d: d.update(ended_at=made_record.at(-1)), "/ended_at"),
    ("not a timestamp", lambda d: d.update(t0="2026-13-02T03:04:05.000Z"), "/t0"),
    ("the injection", lambda d: d["timeline"].pop(0), "/timeline: has no row of kind inject"),
    ("time zero", lambda d: d.update(t0=made_record.at(1)), "/timeline/0/t_seconds"),
]


@pytest.mark.parametrize(("change", "key"), [row[1:] for row in HAND], ids=[row[0] for row in HAND])
def test_a_record_changed_by_hand_is_refused_by_key(
    document: dict[str, Any], change: Callable[[dict[str, Any]], Any], key: str
) -> None:
    change(document)
    problems = verify(parse(document)).problems
    assert any(problem.startswith(key) for problem in problems), problems


def test_an_alert_that_the_counts_do_not_explain_is_a_problem(document: dict[str, Any]) -> None:
    counted(document, lambda _: 0)
    assert any("by the counts not then" in problem for problem in verify(parse(document)).problems)


def test_a_budget_that_was_not_whole_at_the_injection_is_named(document: dict[str, Any]) -> None:
    counted(document, lambda second: 39 if 6 <= second <= 33 else 80 if second < -5 else 0)
    problems = verify(parse(document)).problems
    assert any(problem.startswith(f"/counts/{P99}/bad: the budget stood at") for problem in problems)


def test_an_alert_of_another_kind_than_burn_rate_is_marked_as_not_computed(document: dict[str, Any]) -> None:
    document["prediction"] |= {"alert": "TargetDown", "tier": None, "bad_ratio": None, "effect_seconds": None}
    document["pages"][0]["alertname"] = "TargetDown"
    expected, other = verify(parse(document)).rows
    assert expected.note == "not a burn rate; nothing to compute" and expected.measured == 24.2
    assert other.alert == "FeedLatencyP99Burn" and other.agrees


def test_a_bound_is_shown_with_at_most(document: dict[str, Any]) -> None:
    document["prediction"]["bound"] = True
    assert "<= 22.3 s" in verified(verify(parse(document)).rows[0])


def test_the_command_prints_a_table(
    document: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record.write(parse(document), tmp_path / "r.json")
    assert run(["incident", "verify", str(tmp_path / "r.json")]) == 0
    out, err = capsys.readouterr()
    assert err == "" and tuple(out.splitlines()[0].split()) == VERIFIED
    assert "INC-001" in out and "page.quick" in out and "yes" in out


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda d: d.update(schema="fleetops.record/v1"), "/schema: is 'fleetops.record/v1'"),
        (lambda d: d.pop("schema"), "/schema: is None"),
        (lambda d: d.pop("counts"), "/: Object missing required field `counts`"),
        (lambda d: d["counts"][P99].pop("bad"), f"/counts/{P99}: Object missing required field `bad`"),
        (lambda d: d["counts"][P99].update(total=[]), f"/counts/{P99}/total: Expected `array` of length >= 1"),
        (lambda d: d["prediction"].update(tier="page.fast"), "/prediction/tier: Expected `str` matching regex"),
        (lambda d: d["pages"][0].update(received_at=made_record.at(20)), "/pages/0/received_at: "),
    ],
)
def test_an_invalid_record_is_refused_with_file_and_key(
    document: dict[str, Any],
    tmp_path: Path,
    change: Callable[[dict[str, Any]], Any],
    problem: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(document)
    (tmp_path / "bad.json").write_text(json.dumps(document))
    assert run(["incident", "verify", str(tmp_path / "bad.json")]) == 1
    err = capsys.readouterr().err
    assert len(err.splitlines()[0]) < 400
    assert f"{tmp_path / 'bad.json'}: {problem}" in err


@pytest.mark.parametrize(("text", "problem"), [("{", "is damaged"), ("[]", "/schema: is None"), (None, "cannot read")])
def test_a_file_that_is_not_a_record_is_refused_by_name(
    tmp_path: Path, text: str | None, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / "bad.json").write_text(text)
    assert run(["incident", "verify", str(tmp_path / "bad.json")]) == 1
    err = capsys.readouterr().err
    assert "bad.json" in err and problem in err and "Traceback" not in err


def test_a_list_of_numbers_is_written_on_one_line_without_changing_the_record(document: dict[str, Any]) -> None:
    document["drill"]["title"] = "Numbers [\n1, 2] in a string"
    text = record.as_text(parse(document))
    assert json.loads(text) == document
    assert max(text.count(f'"{name}": [\n') for name in ("values", "total", "bad")) == 0
