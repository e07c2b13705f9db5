"""The controller and its canary: a split of the clients that is not as asked."""

from __future__ import annotations

import pytest
from simulated import World, world

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
