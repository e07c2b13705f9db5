"""The data that the build writes for the console: the runbooks' commands and the list of replays."""

from __future__ import annotations

from lab.clients.documents import as_builtins
from lab.drills.runbook import parser
from lab.promql_tokens import tokens
from lab.site.build import assets
from lab.site.sources.context import RUNBOOKS, SiteContext


def test_the_console_gets_every_runbook_branch_with_the_commands_of_each_step(context: SiteContext) -> None:
    data = as_builtins(assets.runbooks(context))
    sections = parser.sections(context.docs / RUNBOOKS)
    assert list(data) == [section.anchor for section in sections]
    for section in sections:
        branches = [
            {"number": branch.number, "title": branch.title}
            | {step: list(getattr(branch, step)) for step in parser.STEPS}
            for branch in section.branches()
        ]
        assert data[section.anchor] == {"title": section.title, "branches": branches}


def test_a_replay_names_its_record_and_its_postmortem_and_holds_its_queries_as_tokens(context: SiteContext) -> None:
    (replay,) = as_builtins(assets.replays(context))
    record = context.records.read("INC-001").data
    assert replay == {
        "id": "INC-001",
        "title": record.drill.title,
        "recorded": "2026-01-02 03:03 UTC",
        "factor": 60,
        "href": "records/INC-001.json",
        "traces": None,
        "postmortem": "06_postmortems/INC-001_feed_latency_regression/",
        "queries": {signal.query: tokens(signal.query) for signal in record.signals},
    }
