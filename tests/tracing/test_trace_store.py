"""The store: whole traces, found by id, filtered, limited in size and age; damaged or missing files are one line."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import msgspec
import pytest
from made_trace import normal, slow

from lab.errors import LabError, UsageError
from lab.paths import Home
from lab.telemetry.spans import Span
from lab.tracing import store
from lab.tracing.documents import Trace


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def writer(home: Home) -> store.Writer:
    return store.Writer(store.path(home))


def later(trace: Trace, ident: str, seconds: float) -> Trace:
    """The same trace under another id, `seconds` later."""

    def moved(span: Span) -> Span:
        return msgspec.structs.replace(span, start=span.start + seconds)

    processes = [
        msgspec.structs.replace(process, spans=[moved(span) for span in process.spans]) for process in trace.processes
    ]
    return Trace(ident, trace.reason, processes)


def test_a_trace_is_stored_whole_and_found_by_the_start_of_its_id(home: Home, writer: store.Writer) -> None:
    writer.add([normal(), slow()])
    assert store.find(home, "b" * 32) == slow()
    assert store.find(home, "aaa") == normal()


def test_unknown_and_ambiguous_ids_are_one_line(home: Home, writer: store.Writer) -> None:
    writer.add([normal(), normal("ab" + "0" * 30)])
    with pytest.raises(UsageError, match="no trace 'ff' is stored"):
        store.find(home, "ff")
    with pytest.raises(UsageError, match="several traces begin with a"):
        store.find(home, "a")
    for odd in ("<b>", "' OR 1=1 --", "%", "x" * 1_000_000):
        with pytest.raises(UsageError, match="no trace") as refused:
            store.find(home, odd)
        assert len(str(refused.value)) < 200


def test_traces_are_listed_newest_first_or_slowest_first_and_filtered(home: Home, writer: store.Writer) -> None:
    writer.add([slow(), later(normal(), "c" * 32, 10), later(normal(), "d" * 32, 5)])
    assert [line.trace_id[0] for line in store.summaries(home)] == ["c", "d", "b"]
    assert [line.trace_id[0] for line in store.summaries(home, slowest=True, limit=1)] == ["b"]
    assert [line.trace_id[0] for line in store.summaries(home, reasons=["slow"])] == ["b"]
    assert [line.trace_id[0] for line in store.summaries(home, min_seconds=0.1)] == ["b"]
    assert store.summaries(home, name="/v1/users") == []
    line = store.summaries(home, reasons=["slow"])[0]
    assert (line.status, line.spans, line.name) == (200, 52, "GET /v1/feed/{user_id}")


def test_a_trace_with_more_spans_replaces_the_stored_one_and_one_with_fewer_does_not(
    home: Home, writer: store.Writer
) -> None:
    whole = slow()
    part = Trace(whole.trace_id, whole.reason, whole.processes[1:])
    writer.add([part])
    writer.add([whole])
    assert store.find(home, "b" * 32) == whole
    writer.add([part])  # a collector that was restarted asks for what the rings still hold
    assert store.find(home, "b" * 32) == whole


def test_a_trace_without_a_server_span_is_not_stored(home: Home, writer: store.Writer) -> None:
    writer.add([Trace("e" * 32, "slow", [])])
    assert store.summaries(home) == []


def test_the_oldest_traces_beyond_the_size_are_deleted(
    home: Home, writer: store.Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time() - 1_796_000_000.0
    writer.add([later(slow(), f"{number:032x}", now + number) for number in range(100)])
    whole = writer.prune()
    monkeypatch.setattr(store, "MAX_BYTES", whole // 2)
    assert writer.prune() <= whole // 2
    kept = store.summaries(home, limit=200)
    assert 40 <= len(kept) <= 50
    assert kept[0].trace_id == f"{99:032x}"


def test_traces_of_the_day_before_are_deleted(home: Home, writer: store.Writer) -> None:
    writer.add([slow()])  # of a fixed day, long ago
    writer.prune()
    assert store.summaries(home) == []


def test_without_a_store_the_message_says_how_to_get_one(home: Home) -> None:
    with pytest.raises(UsageError, match="this lab keeps no traces; started with"):
        store.summaries(home)


def test_a_damaged_store_is_one_line(home: Home) -> None:
    store.path(home).parent.mkdir(parents=True)
    store.path(home).write_bytes(b"not a database" * 100)
    with pytest.raises(LabError, match="cannot be read"):
        store.summaries(home)


def test_a_damaged_trace_is_one_line(home: Home, writer: store.Writer) -> None:
    writer.add([slow()])
    with sqlite3.connect(store.path(home)) as db:
        db.execute("UPDATE traces SET data = ?", [b"\0"])
    with pytest.raises(LabError, match="damaged"):
        store.find(home, "b")


def test_readers_read_while_the_collector_writes(home: Home, writer: store.Writer) -> None:
    writer.add([slow()])
    with sqlite3.connect(store.path(home), isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM traces")
        assert store.find(home, "b") == slow()
        other.execute("ROLLBACK")
