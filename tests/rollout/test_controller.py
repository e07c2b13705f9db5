"""The controller on a simulated lab: whole rollouts, what stops them, and a controller that is killed at any moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import documents
import pytest
from fakes import FakePager
from simulated import World, world

from lab import names
from lab.clients.documents import as_builtins
from lab.clients.times import utc_text
from lab.control import actions as controls
from lab.control import config
from lab.errors import LabError, UsageError
from lab.rollout import actions, journal
from lab.rollout.controller import Controller
from lab.rollout.journal import Rollout
from lab.rollout.policy import read_policy
from lab.stack import configs

pytestmark = pytest.mark.batch

__all__ = ["world"]
CANARY = "feed-canary"


def ended(world: World, of: Controller | None = None) -> Rollout:
    return world.finish(of or Controller(world.clients))


def weights(rollout: Rollout) -> list[float]:
    return [event.weight_percent for event in rollout.events]


def test_a_healthy_version_reaches_all_clients_step_by_step(world: World) -> None:
    world.start()
    rollout = ended(world)
    assert (rollout.phase, world.weight) == ("promoted", 0)
    assert weights(rollout) == [5, 25, 50, 100, 100, 0]
    assert world.running == {"feed": names.VERSION_NEXT, CANARY: names.VERSION_CANARY}
    assert rollout.since == ""
    assert world.gateway.state["comparison"] == {"step": "", "slos": {}}
    assert world.gateway.state["canary"]["salt"] == ""


def test_a_bad_version_is_aborted_at_the_first_step_and_everything_is_put_back(world: World, pager: FakePager) -> None:
    world.start(names.VERSION_CANARY)
    world.bad_ratio = 0.97
    rollout = ended(world)
    assert (rollout.phase, world.weight, weights(rollout)) == ("aborted", 0, [5, 0, 0])
    assert world.running["feed"] == names.VERSION_STABLE
    assert "clients affected on the canary" in rollout.reason
    rows = [row for row in pager.rows.values() if row["action"] == "canary weight"]
    assert [(row["actor"], row["new"], row["reason"] == rollout.reason) for row in rows] == [
        ("rollout-controller", 5.0, False),
        ("rollout-controller", 0, True),
    ]


def test_each_change_is_audited_before_it_is_made(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    intents = []
    change = controls.set_canary_weight

    def watched(clients: Any, percent: float, reason: str = "") -> float:
        intents.append((percent, reason, world.weight))
        return change(clients, percent, reason)

    monkeypatch.setattr(controls, "set_canary_weight", watched)
    world.start()
    ended(world)
    assert [percent for percent, _, _ in intents] == [5, 25, 50, 100, 0]
    assert all("every SLO is below its bound at 95%" in reason for _, reason, _ in intents[1:])


def without_traffic(world: World) -> None:
    world.silent = True


def prometheus_down(world: World) -> None:
    world.prometheus_up = False


@pytest.mark.parametrize("cause", [without_traffic, prometheus_down])
def test_without_data_nothing_is_promoted_and_nothing_is_aborted(world: World, cause: Callable[[World], None]) -> None:
    world.start()
    controller = Controller(world.clients)
    world.tick(controller, 3)
    cause(world)
    rollout = world.tick(controller, 130)
    assert (rollout.step, world.weight) == (0, 5)
    assert rollout.phase == ("held" if cause is without_traffic else "stepping")
    if cause is prometheus_down:
        assert rollout.frozen == "Prometheus has no counts of this step"
        world.prometheus_up = True
        assert ended(world, controller).phase == "promoted"


def test_counters_that_restart_begin_the_step_again(world: World) -> None:
    world.start()
    controller = Controller(world.clients)
    before = world.tick(controller, 9)
    assert before.step == 0
    world.reset_at = world.now
    after = world.tick(controller, 2)
    assert (after.phase, after.step, after.attempt) == ("stepping", 0, before.attempt + 1)
    assert ended(world, controller).phase == "promoted"


def test_a_weight_set_by_hand_holds_until_somebody_decides(world: World) -> None:
    world.start()
    controller = Controller(world.clients)
    world.tick(controller, 5)
    controls.set_canary_weight(world.clients, 77, "by hand")
    held = world.tick(controller, 30)
    assert (held.phase, world.weight) == ("held", 77)
    assert held.reason == "the weight was set to 77 % by hand; 5 % was in effect"
    actions.resume(world.clients)
    world.tick(controller, 2)
    assert world.weight == 5
    assert ended(world, controller).phase == "promoted"


def test_harm_aborts_a_rollout_that_somebody_holds(world: World) -> None:
    world.start()
    controller = Controller(world.clients)
    world.tick(controller, 5)
    actions.hold(world.clients, "waiting for the migration")
    assert world.tick(controller, 130).phase == "held"
    world.bad_ratio = 0.9
    assert (ended(world, controller).phase, world.weight) == ("aborted", 0)


def test_a_page_of_the_service_freezes_the_ramp_and_another_service_does_not(world: World, pager: FakePager) -> None:
    world.start()
    controller = Controller(world.clients)
    pager.pages = [as_builtins(documents.page(service="user", resolved_at=None, status="firing"))]
    assert world.tick(controller, 45).step == 1
    pager.pages = [as_builtins(documents.page(service="feed", resolved_at=None, status="firing"))]
    frozen = world.tick(controller, 130)
    assert (frozen.phase, frozen.step, frozen.frozen) == ("stepping", 1, "FeedLatencyP99Burn fires")
    pager.pages = []
    assert ended(world, controller).phase == "promoted"


def test_a_canary_that_crash_loops_or_does_not_become_ready_is_aborted(world: World) -> None:
    world.start()
    controller = Controller(world.clients)
    world.tick(controller, 5)
    world.restarts = 3
    assert "restarted 3 times" in ended(world, controller).reason
    world.restarts = 0
    world.start()
    world.ready = False
    assert "has not been ready for 15 s" in ended(world, Controller(world.clients)).reason


def test_a_restart_of_stable_is_no_evidence_against_the_canary(world: World) -> None:
    world.start()
    controller = Controller(world.clients)
    world.tick(controller, 5)
    world.stable_ready = False
    assert world.tick(controller, 20).phase == "stepping"
    world.ready = False  # both are away: the cause is not the canary
    frozen = world.tick(controller, 30)
    assert (frozen.phase, frozen.frozen) == ("stepping", "the canary is not ready")
    world.stable_ready = world.ready = True
    assert ended(world, controller).phase == "promoted"


def test_a_new_revision_holds(world: World) -> None:
    world.start()
    controller = Controller(world.clients)
    world.tick(controller, 5)
    config.push(world.clients, CANARY, {"version": names.VERSION_CANARY})
    assert world.tick(controller, 2).reason.startswith("the canary runs 1.1.0, and not 1.2.0")


def test_an_exhausted_budget_refuses_a_rollout_and_freezes_a_running_ramp(world: World) -> None:
    world.budget_left = -0.1
    with pytest.raises(UsageError, match="the policy refuses a rollout of feed"):
        world.start()
    with pytest.raises(UsageError, match="not a version of the feed service"):  # which no policy needs to decide
        world.start("9.9.9")
    assert journal.load(world.clients.home) is None
    world.budget_left = 1.0
    world.start()
    controller = Controller(world.clients)
    world.tick(controller, 5)
    world.budget_left = None
    assert world.tick(controller, 130).frozen.startswith("the policy refuses it: Prometheus does not know")
    assert world.weight == 5
    world.budget_left = 1.0
    assert ended(world, controller).phase == "promoted"


def test_an_abort_leaves_somebody_elses_settings_of_stable_alone(world: World) -> None:
    world.start(names.VERSION_CANARY)
    controller = Controller(world.clients)
    world.tick(controller, 2)
    config.push(world.clients, "feed", {"pool_max": 12})
    world.bad_ratio = 0.97
    assert ended(world, controller).phase == "aborted"
    assert configs.current(world.clients.home, "feed").settings == {"pool_max": 12}


def test_an_abort_in_the_middle_of_the_promotion_puts_stable_back(world: World) -> None:
    world.start()
    controller = Controller(world.clients)
    while world.tick(controller).phase != "promoting":
        pass
    config.push(world.clients, "feed", {"version": names.VERSION_NEXT})
    actions.abort(world.clients, "not like this")
    assert ended(world, controller).phase == "aborted"
    assert world.running["feed"] == names.VERSION_STABLE
    assert world.weight == 0


def test_a_rollout_that_nobody_watched_begins_its_step_again(world: World) -> None:
    world.start()
    before = world.tick(Controller(world.clients), 5)
    world.now += 3600
    after = world.tick(Controller(world.clients), 1)
    assert (after.phase, after.step, after.attempt) == ("stepping", 0, before.attempt + 1)


def test_start_refuses_what_cannot_be_rolled_out_and_changes_nothing(world: World) -> None:
    for service, version, why in (
        ("user", "1.2.0", "'user' has no canary"),
        ("feed", "9.9.9", "not a version of the feed service"),
        ("feed", names.VERSION_STABLE, "feed runs 1.0.0 already"),
    ):
        with pytest.raises(UsageError, match=why):
            actions.start(world.clients, service, version, read_policy())
    controls.set_canary_weight(world.clients, 10)
    with pytest.raises(UsageError, match="the canary has 10 % of the clients"):
        world.start()
    assert journal.load(world.clients.home) is None


def test_one_rollout_at_a_time_and_one_controller(world: World) -> None:
    world.start()
    with pytest.raises(UsageError, match="is stepping; `fleetops rollout abort` ends it"):
        world.start()
    with (
        journal.controlling(world.clients.home),
        pytest.raises(UsageError, match="is running already"),
        journal.controlling(world.clients.home),
    ):
        pass


def test_hold_resume_and_abort_are_refused_where_they_do_not_apply(world: World) -> None:
    with pytest.raises(UsageError, match="no rollout yet"):
        actions.abort(world.clients)
    world.start()
    with pytest.raises(UsageError, match="is stepping"):
        actions.resume(world.clients)
    actions.abort(world.clients, "no longer wanted")
    assert ended(world).reason == "no longer wanted"
    with pytest.raises(UsageError, match="is aborted"):
        actions.abort(world.clients)


def test_a_damaged_journal_is_named_with_what_to_do(world: World) -> None:
    journal.file_of(world.clients.home).write_text('{"id": 7}')
    with pytest.raises(LabError, match=r"rollout\.json is damaged \(.*fleetops canary weight 0"):
        journal.load(world.clients.home)


def test_a_gateway_that_does_not_answer_freezes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.start()
    controller = Controller(world.clients)
    world.tick(controller, 3)
    call = type(world.gateway).__call__
    monkeypatch.setattr(type(world.gateway), "__call__", lambda *_: (503, {"error": "not now"}))
    frozen = world.tick(controller, 130)
    assert (frozen.phase, frozen.step, frozen.frozen) == ("stepping", 0, "the gateway does not answer")
    monkeypatch.setattr(type(world.gateway), "__call__", call)
    assert ended(world, controller).phase == "promoted"


def test_timestamps_are_utc(world: World) -> None:
    rollout = world.start()
    assert rollout.events[0].at == utc_text(world.now)
