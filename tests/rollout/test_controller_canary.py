"""The controller: a split that is not as asked, a restart, a refused resume, and other clients in each rollout."""

from __future__ import annotations

import pytest
from simulated import World, world

from lab import names
from lab.cli.main import run
from lab.errors import UsageError
from lab.rollout import actions, journal
from lab.rollout.controller import Controller
from lab.rollout.journal import Rollout

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


def aborted(world: World, rollout: Rollout) -> Rollout:
    """The rollout at its end, after its first step has split the clients by its salt."""
    controller = Controller(world.clients)
    world.tick(controller, 2)
    assert world.gateway.state["canary"] == {"weight_percent": 5, "salt": rollout.salt}
    actions.abort(world.clients)
    return world.finish(controller)


def test_each_rollout_of_a_version_splits_the_clients_by_a_salt_of_its_own(world: World) -> None:
    first, second = (aborted(world, world.start()) for _ in range(2))
    assert first.version == second.version
    assert first.id != second.id
    assert first.salt != second.salt


def test_a_retry_is_another_rollout_of_the_version_with_the_same_policy_and_other_clients(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.cli.change.rollout.clients", lambda: world.clients)
    last = aborted(world, world.start(names.VERSION_CANARY, steps_percent=(5.0, 100.0)))
    assert run(["rollout", "retry"]) == 0
    again = journal.load(world.clients.home)
    assert again is not None
    assert (again.service, again.version, again.policy) == (last.service, last.version, last.policy)
    assert (again.phase, again.step, again.reason) == ("stepping", 0, f"retry of {last.id}")
    assert again.id != last.id
    assert again.salt != last.salt
    assert [event.phase for event in again.events] == ["stepping"]
    aborted(world, again)


def test_a_rollout_that_runs_is_not_begun_again(world: World) -> None:
    started = world.start()
    with pytest.raises(UsageError, match="is stepping; `fleetops rollout abort` ends it"):
        actions.retry(world.clients)
    assert journal.load(world.clients.home) == started


def test_a_held_rollout_is_not_resumed_when_the_policy_refuses_it(world: World) -> None:
    world.start()
    controller = Controller(world.clients)
    world.tick(controller, 3)
    actions.hold(world.clients)
    world.budget_left = -0.1
    with pytest.raises(UsageError, match=r"the policy refuses a rollout of feed: feed-availability has -10\.0%"):
        actions.resume(world.clients)
    assert world.tick(controller, 2).phase == "held"
    world.budget_left = 1.0
    assert actions.resume(world.clients).phase == "stepping"
