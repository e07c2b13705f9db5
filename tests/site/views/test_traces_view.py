"""The exemplary traces of a record on its postmortem and beside the replay."""

from __future__ import annotations

import json

import msgspec
import pytest
from made_trace import normal, slow
from sources import EVIL

from lab.drills.schema.record import ExemplaryTrace
from lab.site.build.assets import replays
from lab.site.sources.context import SiteContext
from lab.site.views.traces import telling_trace
from lab.tracing.documents import Trace


@pytest.fixture
def traced(context: SiteContext) -> SiteContext:
    """The made-up record of INC-001 with a telling trace and a normal one."""
    return keep(context, slow(), normal())


def keep(context: SiteContext, telling: Trace, usual: Trace) -> SiteContext:
    file = context.docs / "records" / "INC-001.json"
    document = json.loads(file.read_text())
    traces = [ExemplaryTrace(role="telling", trace=telling), ExemplaryTrace(role="normal", trace=usual)]
    document["traces"] = msgspec.to_builtins(traces)
    file.write_text(json.dumps(document))
    return SiteContext(docs=context.docs)


def test_a_record_without_spans_shows_no_trace(context: SiteContext) -> None:
    assert telling_trace(context, "INC-001") == ""
    assert [replay.traces for replay in replays(context)] == [None]


def test_the_telling_trace_is_shown_with_what_differs_from_a_normal_one(traced: SiteContext) -> None:
    shown = str(telling_trace(traced, "INC-001"))
    assert "48 x 10 ms, one after another: post.select, user.select, follow.exists" in shown
    differences = shown[shown.index("What differs from a normal request before INC-001") :]
    assert "0 → 16" in differences
    assert "0.0 ms → 160 ms" in differences


def test_the_replay_names_the_file_of_a_records_traces(traced: SiteContext) -> None:
    assert [replay.traces for replay in replays(traced)] == ["records/INC-001.traces.json"]


def test_hostile_spans_are_shown_as_text(context: SiteContext) -> None:
    trace = slow()
    trace.processes[0].spans[0] = msgspec.structs.replace(trace.processes[0].spans[0], name=EVIL)
    shown = str(telling_trace(keep(context, trace, normal()), "INC-001"))
    assert "<img" not in shown
    assert "&lt;img src=x onerror" in shown
