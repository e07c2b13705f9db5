"""`fleetops page list` and `page show`: acknowledgement and escalation of pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.cli import main
from lab.clients.documents import Page
from lab.oncall.escalation import TO
from lab.oncall.store import Store
from lab.oncall.webhook import Notice


class StoredPages:
    """A pager client that reads a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def listing(self, *, only_open: bool) -> tuple[list[Page], int]:
        return self.store.pages(only_open=only_open), 0

    def page(self, page_id: int) -> Page:
        page = self.store.page(page_id)
        assert page is not None
        return page


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Two open pages, the first of which was escalated."""
    store = Store(tmp_path / "pager.sqlite3")
    for name in ("Waiting", "Young"):
        store.receive([Notice(name, "firing", "2026-01-31T12:00:00.000Z", None, {"alertname": name}, {})])
        store.escalate(
            TO, "2026-01-31T12:06:00.000Z", received_by="2999-01-01T00:00:00.000Z" if name == "Waiting" else ""
        )
    monkeypatch.setattr("lab.cli.oncall.pager", lambda: StoredPages(store))
    return store


def test_the_list_shows_to_whom_an_unacknowledged_page_was_escalated(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["page", "list"]) == 0
    head, young, waiting = capsys.readouterr().out.splitlines()
    column = head.index("ESCALATED TO")
    assert (waiting[column:], young[column:]) == (TO, "-")
    store.ack(1, "grace")
    main.run(["page", "list"])
    acknowledged = capsys.readouterr().out.splitlines()[2]
    assert acknowledged.split()[-3:] == ["grace", *TO.split()]


def test_a_page_is_shown_with_the_time_of_its_escalation(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["page", "show", "1"]) == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if " " in line.strip())
    assert (shown["escalated_at"], shown["escalated_to"]) == ("2026-01-31T12:06:00.000Z", TO)
