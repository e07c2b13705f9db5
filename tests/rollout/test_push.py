"""Staged configuration pushes: one replica first, judged against the others; taken back when it does harm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import documents
import msgspec
import pytest
from fakes import FakePager
from simulated import World, world

from lab.change import log
from lab.cli.main import run
from lab.clients.documents import as_builtins
from lab.control import config
from lab.errors import LabError, UsageError
from lab.rollout import actions, counts, journal, push, record
from lab.rollout.judge import Verdict
from lab.rollout.policy import read_policy
from lab.rollout.push_decision import Seen, decide
from lab.rollout.record import PushRecord
from lab.stack import configs, replicas
from lab.stack.health import probes
from lab.stack.health.probes import Readiness
from lab.stack.processes import supervision

__all__ = ["world"]
POLICY = read_policy()
STEADY = Seen(lasted_seconds=60, restarts=0, unready_seconds=0, step=None, pages=())


class Fleet:
    """What each replica runs: the version of the configuration that was active when it was restarted last."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.running: dict[str, int] = {}
        self.restarted: list[str] = []
        self.starts: dict[str, int] = {}
        self.fails: dict[str, str] = {}  # replicas that do not become ready with the new version
        self.never: set[str] = set()  # and those that do not with the old one

    def restart(self, home: Any, _ports: Any, name: str) -> list[str]:
        self.restarted.append(name)
        service = name.rpartition("-")[0]
        self.running[name] = configs.staged(home, service).get(name, configs.current(home, service)).version
        self.starts[name] = self.starts.get(name, 0) + 1
        self.world.now += 2
        if not self.running[name] and name in self.never:
            raise LabError(f"{name} is gone")
        if self.running[name] and name in self.fails:
            raise LabError(self.fails[name])
        return [name]


@pytest.fixture
def fleet(world: World, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    of = Fleet(world)
    monkeypatch.setattr(replicas, "restart", of.restart)

    def sleep(seconds: float) -> None:
        world.now += seconds

    clock = SimpleNamespace(time=lambda: world.now, monotonic=lambda: world.now, sleep=sleep)
    monkeypatch.setattr(push, "time", clock)
    monkeypatch.setattr(supervision, "starts", lambda _home, name: of.starts.get(name, 0))
    monkeypatch.setattr(probes, "readiness", lambda _program: Readiness("" if world.ready else "no answer"))
    return of


def pushed(world: World, service: str = "feed", **changes: Any) -> PushRecord:
    return push.push(world.clients, service, changes or {"pool_max": 12}, POLICY, "more misses")


def outcome(pager: FakePager) -> list[tuple[str, str, str]]:
    return [(row["action"], row["outcome"], row["reason"]) for row in pager.rows.values()]


def test_a_push_reaches_the_other_replicas_once_the_first_has_passed(
    world: World, fleet: Fleet, pager: FakePager
) -> None:
    began = world.now
    made = pushed(world)
    assert (made.outcome, made.replica, made.changes) == ("pushed", "feed-2", {"pool_max": "12"})
    assert fleet.restarted == ["feed-2", "feed-1"]
    assert fleet.running == {"feed-1": 1, "feed-2": 1}
    assert configs.current(world.clients.home, "feed").settings == {"pool_max": 12}
    assert made.step is not None
    assert made.step.verdict is Verdict.PASS
    assert POLICY.dwell_seconds <= world.now - began < POLICY.deadline_seconds
    assert outcome(pager) == [("config push", "done", "more misses")]
    assert configs.staged(world.clients.home, "feed") == {}
    assert next(iter(pager.rows.values()))["new"]["stages"] == ["feed-2", "feed-1"]
    assert world.gateway.state["comparison"] == counts.NOTHING
    assert list(record.verify(made)) == []


def test_a_harmful_push_is_taken_back_from_the_one_replica_that_had_it(
    world: World, fleet: Fleet, pager: FakePager
) -> None:
    world.bad_ratio = 0.5
    made = pushed(world)
    assert made.outcome == "taken back"
    assert fleet.restarted == ["feed-2", "feed-2"]
    assert fleet.running == {"feed-2": 0}
    assert configs.current(world.clients.home, "feed").version == 0
    assert outcome(pager) == [("config push", "done", "more misses"), ("config rollback", "done", made.reason)]
    assert "requests affected on the replica" in made.reason
    (change,) = log.changes([documents.audit_row(**row) for row in pager.rows.values()], [])
    assert (change.outcome, change.risk, change.failed) == ("taken back", "standard", True)
    assert configs.find(world.clients.home, "feed", 1).taken_back
    assert world.gateway.state["comparison"] == counts.NOTHING
    assert list(record.verify(made)) == []


def test_the_old_version_is_active_while_the_replica_bakes(
    world: World, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    active = []

    def seen(policy: Any, seen: Seen, *, compared: bool) -> tuple[Verdict, str]:
        active.append(configs.current(world.clients.home, "feed").version)
        return decide(policy, seen, compared=compared)

    monkeypatch.setattr(push, "decide", seen)
    pushed(world)
    assert set(active) == {0}
    assert fleet.running["feed-2"] == 1


@pytest.mark.parametrize(
    ("seen", "compared", "verdict", "why"),
    [
        ({"restarts": 1}, True, Verdict.FAIL, "the replica was started again"),
        ({"overtaken": True}, True, Verdict.FAIL, "another version was activated in the meantime"),
        ({"unready_seconds": 15.0}, True, Verdict.FAIL, "has not been ready for 15 s"),
        ({"lasted_seconds": 9.0}, False, Verdict.HOLD, "bakes"),
        ({}, False, Verdict.PASS, "the only replica stayed up for 10 s"),
        ({}, True, Verdict.HOLD, "Prometheus has no counts"),
        ({"pages": ("FeedLatencyP99Burn",)}, False, Verdict.HOLD, "FeedLatencyP99Burn fires"),
        ({"unready_seconds": 3.0}, False, Verdict.HOLD, "the replica is not ready"),
        ({"lasted_seconds": 120.0}, True, Verdict.FAIL, "not enough evidence after 120 s: Prometheus has no counts"),
    ],
)
def test_what_is_seen_of_the_replica_decides(seen: dict[str, Any], compared: bool, verdict: Verdict, why: str) -> None:
    found, reason = decide(POLICY, replace(STEADY, **seen), compared=compared)
    assert found is verdict
    assert why in reason


def test_without_requests_the_push_is_taken_back_at_the_deadline(world: World, fleet: Fleet) -> None:
    world.silent = True
    made = pushed(world)
    assert made.outcome == "taken back"
    assert "not enough evidence after 120 s" in made.reason
    assert fleet.running == {"feed-2": 0}


def test_a_crash_takes_the_push_back(world: World, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    start = world.now
    monkeypatch.setattr(
        supervision, "starts", lambda _home, name: fleet.starts.get(name, 0) + int(world.now > start + 5)
    )
    assert "the replica was started again" in pushed(world).reason
    assert configs.current(world.clients.home, "feed").version == 0


def test_a_replica_that_does_not_become_ready_takes_the_push_back_from_all(world: World, fleet: Fleet) -> None:
    fleet.fails = {"feed-1": "feed-1 is not ready after 45 s"}
    made = pushed(world)
    assert (made.outcome, made.reason) == ("taken back", "feed-1 is not ready after 45 s")
    assert fleet.running == {"feed-1": 0, "feed-2": 0}


def rolled_back(world: World) -> None:
    config.rollback(world.clients, "feed")


def pushed_in_an_emergency(world: World) -> None:
    config.push(world.clients, "feed", {"threads": 4})


@pytest.mark.parametrize(("act", "active"), [(rolled_back, 0), (pushed_in_an_emergency, 2)])
def test_a_push_that_somebody_overtakes_ends_and_leaves_theirs(
    world: World, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, act: Any, active: int
) -> None:
    def seen(policy: Any, seen: Seen, *, compared: bool) -> tuple[Verdict, str]:
        if fleet.restarted == ["feed-2"] and seen.lasted_seconds > 3 and not seen.overtaken:
            act(world)
        return decide(policy, seen, compared=compared)

    monkeypatch.setattr(push, "decide", seen)
    made = pushed(world)
    assert (made.outcome, "another version was activated" in made.reason) == ("taken back", True)
    assert configs.current(world.clients.home, "feed").version == active
    assert configs.staged(world.clients.home, "feed") == {}


def test_verdicts_from_before_a_restart_of_the_gateway_do_not_count(
    world: World, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, read = list[str](), counts.read

    def reading(prometheus: Any, key: str, start: float, end: float) -> Any:
        keys.append(key)
        if len(keys) == 5:
            raise counts.CountersReset
        return read(prometheus, key, start, end)

    monkeypatch.setattr(counts, "read", reading)
    assert pushed(world).outcome == "pushed"
    assert list(dict.fromkeys(keys)) == ["feed-config-1/1", "feed-config-1/2"]


def test_a_replica_that_does_not_come_back_is_named_and_the_others_are_put_back(world: World, fleet: Fleet) -> None:
    fleet.fails = {"feed-1": "feed-1 is not ready after 45 s"}
    fleet.never = {"feed-2"}
    with pytest.raises(LabError, match=r"version 1 is taken back, but not ready are: feed-2 \(feed-2 is gone\)"):
        pushed(world)
    assert fleet.running == {"feed-1": 0, "feed-2": 0}


def test_an_interrupted_push_is_taken_back(world: World, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> tuple[Verdict, str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(push, "decide", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pushed(world)
    assert fleet.running == {"feed-2": 0}
    assert configs.current(world.clients.home, "feed").version == 0


def test_a_service_with_one_replica_is_not_compared(world: World, fleet: Fleet) -> None:
    world.bad_ratio = 1.0
    made = pushed(world, "feed-canary")
    assert (made.outcome, made.step, fleet.restarted) == ("pushed", None, ["feed-canary-1"])
    assert list(record.verify(made)) == []


def test_a_setting_that_would_be_rejected_restarts_nothing(world: World, fleet: Fleet, pager: FakePager) -> None:
    for changes, why in (({"pool": 4}, "no setting 'pool'"), ({"version": "9"}, "version='9' is not a version")):
        with pytest.raises(UsageError, match=why):
            pushed(world, **changes)
    assert (fleet.restarted, pager.rows) == ([], {})


def test_pushes_and_rollouts_exclude_each_other(world: World, fleet: Fleet) -> None:
    with journal.pushing(world.clients.home):
        for begin in (lambda: pushed(world), world.start):
            with pytest.raises(UsageError, match="a configuration push is under way"):
                begin()
    world.start()
    with pytest.raises(UsageError, match=r"the rollout of feed 1\.2\.0 is stepping"):
        pushed(world)
    assert fleet.restarted == []
    actions.abort(world.clients)


def test_a_record_is_judged_again_and_refused_when_it_was_changed(
    world: World, fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = pushed(world)
    file = tmp_path / "push.json"
    record.write(made, file)
    assert record.load(file) == made
    assert run(["rollout", "judge", str(file)]) == 0
    assert "pass" in capsys.readouterr().out
    assert made.step is not None
    worse = as_builtins(made)
    row = worse["step"]["counts"]["feed-availability"]["canary"]
    for key in ("bad_requests", "affected"):
        row[key][-1] = row["requests"][-1] - row["requests"][-2]  # all of the last second
    record.write(msgspec.convert(worse, PushRecord), file)
    assert run(["rollout", "judge", str(file)]) == 1
    assert "/step/verdict: is pass, but by the counts fail" in capsys.readouterr().err
