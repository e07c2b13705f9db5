"""The recordings of "Guess the cause": every incident, without its answer, up to the responder's first change."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from made_record import ZERO, at, record
from made_trace import AT, normal, slow

from lab.clients.documents import as_builtins
from lab.drills.schema.record import parse
from lab.drills.spec.drill import TRIGGERS, catalogue, find
from lab.paths import DOCS
from lab.site.build import guess
from lab.site.sources.context import SiteContext
from lab.site.sources.records import Record
from lab.site.views.drills import TRIGGER_MEANINGS
from lab.tracing.documents import Trace

INCIDENTS = [drill.id for drill in catalogue() if drill.trigger != "control"]
# Keys of a record from which its answer can be read.
TELLING_KEYS = {"drill", "fault", "trigger", "component", "inputs", "verdict", "hints", "durations"}


def committed(ident: str) -> Record:
    """A committed record, stale or not."""
    path = f"records/{ident}.json"
    return Record(ident, path, parse(json.loads((DOCS / path).read_text())))


def made(**changes: Any) -> Record:
    """The made-up record, with the given top-level keys replaced."""
    return Record("INC-001", "records/INC-001.json", parse(record() | changes))


def walk(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a JSON document with its path, containers included."""
    yield path, node
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from walk(value, f"{path}/{key}")


def test_every_incident_is_playable_and_the_control_is_not(context: SiteContext) -> None:
    files = dict(guess.files(context, [committed(drill.id) for drill in catalogue()]))
    index = files[guess.INDEX]
    assert isinstance(index, guess.Index)
    assert list(index.recordings) == sorted(guess.opaque(ident) for ident in INCIDENTS)
    for ident in INCIDENTS:
        name, drill = guess.opaque(ident), find(ident)
        recording, answer = files[f"{guess.FOLDER}/{name}.json"], files[f"{guess.FOLDER}/{name}.answer.json"]
        assert isinstance(recording, guess.Recording)
        assert isinstance(answer, guess.Answer)
        assert (answer.component, answer.trigger, answer.title) == (drill.component, drill.trigger, drill.title)
        assert recording.prediction["alert"] in [page.alertname for page in recording.pages]
        assert recording.runbook, "no triage"
        assert all(signal.start_seconds < 0 < recording.end_seconds for signal in recording.signals)
        assert any(value is not None for signal in recording.signals for value in signal.values)


@pytest.mark.parametrize("ident", INCIDENTS)
def test_what_is_loaded_first_does_not_hold_the_answer(ident: str) -> None:
    drill, data = find(ident), as_builtins(guess.recording(committed(ident)))
    text = json.dumps(data)
    for words in (ident, "INC-", drill.title, drill.fault_kind, "Fault injected", drill.branch or "no branch"):
        assert words not in text
    for path, value in walk(data):
        assert path.rpartition("/")[2] not in TELLING_KEYS
        # A responder reads the names of audited actions and of services, some of which are also trigger classes.
        assert value != drill.trigger or path.startswith("/actions/") or path.endswith("/service"), path
    assert ident not in guess.opaque(ident)


@pytest.mark.parametrize("ident", INCIDENTS)
def test_a_recording_ends_before_the_responders_first_change(ident: str) -> None:
    record = committed(ident)
    first = next(row for row in record.timeline if row.kind == "action")
    recording = guess.recording(record)
    page = record.first("page")
    assert page is not None
    assert recording.end_seconds == pytest.approx(first.t_seconds - page.t_seconds, abs=0.001)
    for path, value in walk(as_builtins(recording)):
        if path.rpartition("/")[2] in ("at", "ts") or path.endswith("_at"):
            assert value is None or value < first.at, path
        if path.endswith("/t_seconds"):
            assert value < recording.end_seconds, path
    assert record.data.responder not in [row.actor for row in recording.actions]
    assert {step.step for step in recording.runbook} == {"check"}
    for signal in recording.signals:
        last = signal.start_seconds + (len(signal.values) - 1) * signal.step_seconds
        assert recording.end_seconds - signal.step_seconds < last <= recording.end_seconds


def test_a_recording_counts_from_its_page_and_shows_the_page_as_it_was_then() -> None:
    recording = guess.recording(made())
    assert (recording.t0, recording.end_seconds) == (at(25.4), 2.2)
    assert [(row.kind, row.t_seconds) for row in recording.timeline] == [
        ("sli_bad", -19.4), ("firing", -1.2), ("page", 0), ("ack", 0.5)
    ]  # fmt: skip
    assert [(step.branch, step.t_seconds) for step in recording.runbook] == [("", 1.1)]
    (page,), (alert,) = recording.pages, recording.alerts
    assert (page.status, page.acked_by, page.resolved_at, alert.ends_at) == ("firing", "autopilot", None, None)
    (page,) = guess.recording(made(pages=[record()["pages"][0] | {"acked_at": at(30)}])).pages
    assert (page.acked_at, page.acked_by) == (None, None)


def test_an_audited_injection_looks_like_any_other_change() -> None:
    (mitigation,), (inject, *later) = record()["actions"], record()["timeline"]
    push = mitigation | {"at": at(0), "actor": "deploy-pipeline"}
    audited = inject | {"evidence": {"pointer": "/actions/0"}}
    recording = guess.recording(made(actions=[push, mitigation], timeline=[audited, *later]))
    assert (recording.timeline[0].kind, recording.timeline[0].by) == ("action", "deploy-pipeline")
    assert [row.actor for row in recording.actions] == ["deploy-pipeline"]


def moved(trace: Trace, seconds: float) -> dict[str, Any]:
    """A trace that begins that long after the injection of the made-up record, as JSON."""
    document: dict[str, Any] = as_builtins(trace)
    for _, node in walk(document):
        if isinstance(node, dict) and "start" in node:
            node["start"] += ZERO.timestamp() + seconds - AT
    return document


def test_the_files_hold_the_traces_that_had_ended_and_the_answer_apart(
    context: SiteContext, rewrite: Callable[..., None]
) -> None:
    traces = [("telling", moved(slow(), 20)), ("worst", moved(slow("c" * 32), 27.5)), ("normal", moved(normal(), -9))]
    rewrite(traces=[{"role": role, "trace": trace} for role, trace in traces])
    name = guess.opaque("INC-001")
    files = {path: as_builtins(document) for path, document in guess.files(context, context.records)}
    folder = "assets/data/guess"
    assert list(files) == [f"{folder}/{file}.json" for file in ("index", name, f"{name}.answer", f"{name}.traces")]
    assert files[f"{folder}/index.json"]["recordings"] == [name]
    assert files[f"{folder}/{name}.json"]["traces"] == f"{folder}/{name}.traces.json"
    assert set(files[f"{folder}/{name}.traces.json"]) == {"b" * 32, "a" * 32}
    drill = find("INC-001")
    assert files[f"{folder}/{name}.answer.json"] == {
        "id": "INC-001", "title": drill.title, "severity": drill.severity, "component": drill.component,
        "trigger": drill.trigger, "page_seconds": 25.4, "branch": "Made up: diagnosis", "diagnosis_seconds": 1.6,
        "mitigation_seconds": 2.2, "recovery_seconds": 7.6,
        "postmortem": "06_postmortems/INC-001_feed_latency_regression/",
    }  # fmt: skip


def test_every_trigger_class_has_a_meaning() -> None:
    assert list(TRIGGER_MEANINGS) == [name for name in TRIGGERS if name != "control"]
