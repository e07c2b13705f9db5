"""Commands that print a table: headings, one row per item, and a sentence when there is none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from documents import page

from lab.cli import main
from lab.clients.prometheus import Prometheus, Sample
from lab.control import database
from lab.control.triage import Suspect


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs `fleetops` and returns its output, by line."""

    def run(*arguments: str) -> list[str]:
        main.run(list(arguments))
        return capsys.readouterr().out.splitlines()

    return run


def test_incidents_list_open_pages_before_the_records(
    lines: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pages = [page(id=7, acked_by=None), page(id=8, acked_by="ada"), page(id=9, severity="ticket")]
    monkeypatch.setattr("lab.cli.incident.pager", lambda: SimpleNamespace(pages=lambda **_: pages))
    monkeypatch.setattr("lab.cli.incident._records", list)
    head, first, second, gap, records = lines("incident", "list")
    assert head.split("  ")[0] == "OPEN PAGE"
    assert (first.split()[0], first.split()[-1]) == ("7", "-")
    assert (second.split()[0], second.split()[-1]) == ("8", "ada")
    assert gap == ""
    assert records.startswith("no records; ")


def test_triage_aligns_scores_and_evidence(lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Prometheus, "of", lambda *_: Prometheus("http://127.0.0.1:9"))
    suspects = [Suspect("canary", 12.5, "slow"), Suspect("cache", 0.5, "hits")]
    monkeypatch.setattr("lab.control.triage.investigate", lambda *_: suspects)
    assert lines("triage", "feed") == [
        "VERDICT     CAUSE   SCORE  EVIDENCE",
        "IMPLICATED  canary   12.5  slow",
        "clear       cache     0.5  hits",
    ]


def test_query_results_are_series_in_promql_notation(lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = [Sample({"__name__": "up", "job": "feed"}, 1.0), Sample({}, 250.0)]
    client = SimpleNamespace(wait=lambda *_: samples)
    monkeypatch.setattr(Prometheus, "of", lambda *_: client)
    assert lines("query", "up") == ["VALUE  SERIES", '    1  up{job="feed"}', "  250"]


def test_database_sessions_show_their_lock_waits(lines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    session = database.Session(41, "migration", "active", 3.2, 3.2, "AccessExclusiveLock", [40, 39], "ALTER\n TABLE x")
    idle = database.Session(42, "user-1", "idle", 0.0, 9.0, "", [], "")
    monkeypatch.setattr("lab.cli.database.clients", lambda: None)
    monkeypatch.setattr(database, "activity", lambda _: [session, idle])
    head, row = lines("db", "activity")
    assert head.split() == ["PID", "APPLICATION", "STATE", "TRANSACTION", "WAITS", "FOR", "BLOCKED", "BY", "QUERY"]
    assert row.split() == [
        "41",
        "migration",
        "active",
        "3.2",
        "s",
        "AccessExclusiveLock",
        "40,39",
        "ALTER",
        "TABLE",
        "x",
    ]
    monkeypatch.setattr(database, "activity", lambda _: [idle])
    assert lines("db", "activity") == ["no active session and no open transaction"]
