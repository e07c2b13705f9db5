"""A rollout in the change log: one change, whatever its controller did."""

from __future__ import annotations

import documents
from fakes import FakePager
from simulated import World, world

from lab import names
from lab.change.log import changes
from lab.clients.times import utc_text
from lab.control import config
from lab.rollout.controller import Controller

__all__ = ["world"]


def test_the_change_log_has_a_rollout_as_one_change(world: World, pager: FakePager) -> None:
    def log() -> list[tuple[str, str, str, bool]]:
        rows = [row | {"at": utc_text(number)} for number, row in enumerate(pager.rows.values())]
        found = changes(documents.audit_rows(rows), [])
        return [(change.action, change.risk, change.outcome, change.failed) for change in found]

    world.start(names.VERSION_CANARY)
    assert log() == [("rollout start", "standard", "pending", False)]
    world.bad_ratio = 0.97
    world.finish(Controller(world.clients))
    world.bad_ratio = 0.0
    world.start()
    world.finish(Controller(world.clients))
    assert log() == [
        ("rollout start", "standard", "aborted", True), ("rollout start", "standard", "promoted", False),
    ]  # fmt: skip
    config.rollback(world.clients, "feed")
    assert log()[1:] == [("rollout start", "standard", "taken back", True)]
