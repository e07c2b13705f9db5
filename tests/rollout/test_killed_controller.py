"""A controller that is killed between any two of its effects is replaced, and the rollout ends as it would have."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import documents
import pytest
from fakes import FakePager
from simulated import World, world

from lab import names
from lab.change.log import changes
from lab.clients.http import JsonClient
from lab.clients.times import utc_text
from lab.control import config
from lab.rollout import actions, counts, journal
from lab.rollout.controller import Controller
from lab.rollout.journal import Rollout
from lab.stack import configs, replicas

pytestmark = pytest.mark.batch

__all__ = ["world"]
CANARY = "feed-canary"


class Killed(BaseException):
    """SIGKILL, at one of the controller's effects."""


class Killer:
    """Kills the controller before its n-th effect: from then on, nothing that it does has an effect."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.effects, self.at, self.dead, self.armed = 0, -1, False, False
        self.until_resumed = 0  # effects
        for owner, name in (
            (journal, "save"), (JsonClient, "call"), (configs, "add"), (configs, "activate"), (configs, "restart"),
            (replicas, "restart"),
        ):  # fmt: skip
            monkeypatch.setattr(owner, name, self._wrapped(getattr(owner, name)))

    def _wrapped(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def effect(*arguments: Any, **keywords: Any) -> Any:
            # Between two effects it only reads, so before one is after the one before.
            if self.armed and "GET" not in arguments:
                self._count()
            return inner(*arguments, **keywords)

        return effect

    def _count(self) -> None:
        self.effects += 1
        self.dead = self.dead or self.effects == self.at
        if self.dead:
            raise Killed


def run_to_the_end(world: World, killer: Killer, held: bool) -> Rollout:
    """Tick until the rollout is over. A killed controller is replaced; a person resumes a rollout that is held."""
    controller = Controller(world.clients)
    for _ in range(600):
        killer.armed = True
        try:
            rollout = world.tick(controller)
        except Killed:
            killer.dead = False
            controller = Controller(world.clients)
            continue
        finally:
            killer.armed = False
        if held and rollout.phase == "held":
            world.silent = False
            actions.resume(world.clients, "there is traffic again")
            killer.until_resumed = killer.effects
        if rollout.is_over:
            return rollout
    raise AssertionError("not over")


@pytest.mark.parametrize(
    ("version", "bad_ratio", "held", "end"),
    [("1.2.0", 0.0, False, "promoted"), ("1.1.0", 0.97, False, "aborted"), ("1.2.0", 0.0, True, "promoted")],
    ids=["promoted", "aborted", "held and resumed"],
)
def test_a_controller_killed_at_any_effect_ends_in_the_same_state(
    world: World, pager: FakePager, monkeypatch: pytest.MonkeyPatch,
    version: str, bad_ratio: float, held: bool, end: str,
) -> None:  # fmt: skip
    def start() -> None:
        pager.rows.clear()
        world.silent = held
        world.start(version, dwell_seconds=1, deadline_seconds=3, steps_percent=(5, 100))

    monkeypatch.setattr(os, "fsync", lambda _: None)  # thousands of journals
    world.per_second = 4000
    config.push(world.clients, CANARY, {"version": names.VERSION_STABLE})  # not the version that is rolled out
    world.bad_ratio = bad_ratio
    start()
    killer = Killer(monkeypatch)
    undisturbed = run_to_the_end(world, killer, held)
    # From the resume on, a rollout goes on as one that was never held.
    effects = killer.until_resumed if held else killer.effects
    assert effects > (5 if held else 10)
    for at in range(1, effects + 2):  # the last one: not at all, after its last effect
        killer.effects, killer.at = 0, -1
        if configs.current(world.clients.home, "feed").version:
            config.activate(world.clients, "feed", 0)
        start()
        killer.effects, killer.at = 0, at
        rollout = run_to_the_end(world, killer, held)
        assert (rollout.phase, world.weight) == (end, 0), at
        assert world.running == {
            "feed": version if end == "promoted" else names.VERSION_STABLE, CANARY: names.VERSION_STABLE
        }, at  # fmt: skip
        assert world.gateway.state["canary"]["salt"] == "", at
        assert world.gateway.state["comparison"]["step"] == counts.NOTHING["step"], at
        assert [event.step for event in rollout.events] == sorted(event.step for event in rollout.events)
        assert [why(event.reason) for event in rollout.events] == [why(event.reason) for event in undisturbed.events]
        rows = [row | {"at": utc_text(number)} for number, row in enumerate(pager.rows.values())]
        assert [change.outcome for change in changes(documents.audit_rows(rows), [])] == [end], at


def why(reason: str) -> str:
    """A reason without its counts, which depend on when the next controller started."""
    return reason.partition(":")[0]
