"""The controller and its canary: a split that is not as asked, and a single restart."""

from __future__ import annotations

import pytest
from simulated import World, world

from lab import names
from lab.rollout import actions
from lab.rollout.controller import Controller

pytestmark = pytest.mark.batch

__all__ = ["world"]


@pytest.mark.parametrize("split", [0.5, 2.0], ids=["half", "double"])
def test_clients_that_are_not_split_as_asked_hold_the_rollout(world: World, split: float) -> None:
    world.split = split
    world.start()
    controller = Controller(world.clients)
    held = world.tick(controller, 60)
    assert (held.phase, held.step, world.weight) == ("held", 0, 5)
    assert held.reason == "the clients are not split as asked (5 % to the canary)"
    assert [event.phase for event in held.events] == ["stepping", "held"]
    world.split = 1.0
    actions.resume(world.clients)
    assert world.finish(controller).phase == "promoted"


def test_a_canary_that_restarts_once_freezes_its_step_and_is_promoted_later(world: World) -> None:
    world.start()
    controller = Controller(world.clients)
    world.tick(controller, 5)
    world.restarts, world.ready = 1, False
    frozen = world.tick(controller, 3)
    assert (frozen.phase, frozen.step, world.weight) == ("stepping", 0, 5)
    assert (frozen.frozen, frozen.frozen_seconds) == ("the canary is not ready", 3)
    world.ready = True
    over = world.finish(controller)
    assert (over.phase, world.running["feed"]) == ("promoted", names.VERSION_NEXT)
    assert over.reason.startswith("every SLO is below its bound at 95%"), "the verdict of the last step"
    assert [event.weight_percent for event in over.events] == [5, 25, 50, 100, 100, 0]
