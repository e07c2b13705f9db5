"""A controller that is killed before or after any of its effects is replaced by one that ends in the same state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from simulated import World, world

from lab import names
from lab.clients.http import JsonClient
from lab.control import config
from lab.rollout import journal
from lab.rollout.controller import Controller
from lab.rollout.journal import Rollout
from lab.stack import configs, replicas

pytestmark = pytest.mark.batch

__all__ = ["world"]
CANARY = "feed-canary"


class Killed(BaseException):
    """SIGKILL, at one of the controller's effects."""


class Killer:
    """Raises Killed before or after the n-th effect of the controller, once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.effects, self.at = 0, -1
        for owner, name in (
            (journal, "save"), (JsonClient, "call"), (configs, "add"), (configs, "activate"), (configs, "restart"),
            (replicas, "restart"),
        ):  # fmt: skip
            monkeypatch.setattr(owner, name, self._wrapped(getattr(owner, name)))

    def _wrapped(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        def effect(*arguments: Any, **keywords: Any) -> Any:
            reads = "GET" in arguments
            if not reads:
                self._count()
            result = inner(*arguments, **keywords)
            if not reads:
                self._count()
            return result

        return effect

    def _count(self) -> None:
        self.effects += 1
        if self.effects == self.at:
            raise Killed


def run_to_the_end(world: World) -> Rollout:
    """Tick until the rollout is over; a controller that is killed is replaced, as by supervision."""
    controller = Controller(world.clients)
    for _ in range(600):
        try:
            rollout = world.tick(controller)
        except Killed:
            controller = Controller(world.clients)
            continue
        if rollout.is_over:
            return rollout
    raise AssertionError("not over")


@pytest.mark.parametrize(("version", "bad_ratio", "end"), [("1.2.0", 0.0, "promoted"), ("1.1.0", 0.97, "aborted")])
def test_a_controller_killed_at_any_effect_ends_in_the_same_state(
    world: World, monkeypatch: pytest.MonkeyPatch, version: str, bad_ratio: float, end: str
) -> None:
    world.per_second = 4000
    config.push(world.clients, CANARY, {"version": names.VERSION_STABLE})  # not the version that is rolled out
    world.bad_ratio = bad_ratio
    world.start(version, dwell_seconds=1, steps_percent=(5, 100))
    killer = Killer(monkeypatch)
    run_to_the_end(world)
    effects = killer.effects
    assert effects > 20
    for at in range(1, effects + 1):
        killer.effects, killer.at = 0, -1
        if configs.current(world.clients.home, "feed").version:
            config.activate(world.clients, "feed", 0)
        world.start(version, dwell_seconds=1, steps_percent=(5, 100))
        killer.effects, killer.at = 0, at
        rollout = run_to_the_end(world)
        assert (rollout.phase, world.weight) == (end, 0), at
        assert world.running == {
            "feed": version if end == "promoted" else names.VERSION_STABLE, CANARY: names.VERSION_STABLE
        }, at  # fmt: skip
        assert [event.step for event in rollout.events] == sorted(event.step for event in rollout.events)
