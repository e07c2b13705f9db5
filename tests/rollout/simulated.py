"""A lab for the controller without processes: a clock, the gateway's counts of both versions, and configurations."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fakes import FakeGateway

from lab import names
from lab.change import gate
from lab.change.gate import Budget
from lab.clients.prometheus import Prometheus, Series
from lab.control.lab_clients import LabClients
from lab.errors import NotRunning
from lab.rollout import actions, controller, counts, journal
from lab.rollout.controller import Controller
from lab.rollout.journal import Rollout
from lab.rollout.policy import read_policy
from lab.stack import configs, replicas, state
from lab.stack.health import probes
from lab.stack.health.probes import Readiness
from lab.stack.processes import supervision

START = 1_770_000_000.0


@dataclass
class World:
    """The simulated lab. Tests change its fields between ticks; `bad_ratio` is that of the canary's requests."""

    clients: LabClients
    gateway: FakeGateway
    now: float = START
    bad_ratio: float = 0.0
    prometheus_up: bool = True
    ready: bool = True  # the canary
    stable_ready: bool = True
    restarts: int = 0
    running: dict[str, str] = field(default_factory=dict)
    counted: dict[str, float] = field(default_factory=dict)  # when each step's counting began
    reset_at: float = 0.0
    budget_left: float | None = 1.0
    silent: bool = False  # no requests
    split: float = 1.0  # the canary's share of the clients, as a multiple of the one asked for
    per_second: int = 40  # requests of all clients; each has a client of its own

    def start(self, version: str = names.VERSION_NEXT, **policy: Any) -> Rollout:
        return actions.start(self.clients, "feed", version, replace(read_policy(), **policy))

    def tick(self, of: Controller, times: int = 1) -> Rollout:
        for _ in range(times):
            self.now += 1
            of.tick()
        rollout = journal.load(self.clients.home)
        assert rollout is not None
        return rollout

    def finish(self, of: Controller, limit: int = 400) -> Rollout:
        """Tick until the rollout is over."""
        for _ in range(limit):
            rollout = self.tick(of)
            if rollout.is_over:
                return rollout
        raise AssertionError(f"not over after {limit} s: {rollout.phase}, {rollout.reason}")

    @property
    def weight(self) -> float:
        return float(self.gateway.state["canary"]["weight_percent"])

    def series(self, query: str, start: float, _end: float, _step: float = 1.0) -> list[Series]:
        """The counters of a step, once a second, as Prometheus would return them."""
        if not self.prometheus_up:
            raise NotRunning("Prometheus does not answer")
        step = query.partition('step="')[2].removesuffix('"}')
        counting = self.gateway.state["comparison"]
        rows = []
        for slo in counting["slos"] if counting["step"] == step else {}:
            for arm in counts.ARMS:
                part = 0.5 if counting.get("replica") else min(1.0, self.weight / 100 * self.split)
                share = part if arm == "canary" else 1 - part
                bad_ratio = self.bad_ratio if arm == "canary" else 0.0
                points = {metric: list[tuple[float, float]]() for metric in counts.METRICS}
                for second in range(int(start), int(self.now) + 1):
                    requests = int(self._counting_seconds(step, second) * self.per_second * share)
                    for metric in counts.METRICS:
                        is_bad = metric in (names.COMPARISON_BAD_REQUESTS, names.COMPARISON_AFFECTED_CLIENTS)
                        points[metric].append((float(second), float(int(requests * bad_ratio) if is_bad else requests)))
                rows += [
                    Series({"__name__": metric, "slo": slo, "arm": arm}, points[metric]) for metric in counts.METRICS
                ]
        return rows

    def _counting_seconds(self, step: str, second: int) -> float:
        """How long the counters of a step have counted by then; they restart with the gateway."""
        began = self.counted.get(step, self.now)
        if began < self.reset_at <= second:
            began = self.reset_at
        return 0.0 if self.silent else max(0.0, second - began)


@pytest.fixture
def world(clients: LabClients, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch) -> World:
    for folder in (clients.home.data, clients.home.run):
        folder.mkdir(parents=True, exist_ok=True)
    lab = World(clients, gateway)
    lab.running = {"feed": names.VERSION_STABLE, names.CANARY_OF["feed"]: names.VERSION_CANARY}
    clock = SimpleNamespace(time=lambda: lab.now, monotonic=lambda: lab.now)
    for module in (controller, actions):
        monkeypatch.setattr(module, "time", clock)
    object.__setattr__(clients, "prometheus", cast(Prometheus, SimpleNamespace(range=lab.series)))

    def restart(home: Any, _ports: Any, service: str, **_: Any) -> list[str]:
        default = names.VERSION_CANARY if service in names.CANARY_OF.values() else names.VERSION_STABLE
        lab.running[service] = str(configs.current(home, service).settings.get("version", default))
        return [f"{service}-1"]

    monkeypatch.setattr(configs, "restart", restart)
    monkeypatch.setattr(replicas, "restart", restart)
    monkeypatch.setattr(configs, "refusal", lambda _program, settings: _refusal(settings))
    monkeypatch.setattr(probes, "version", lambda program: lab.running[program.service])

    def readiness_of(programs: Any) -> dict[str, Readiness]:
        canary = names.CANARY_OF["feed"]
        up = {program.name: lab.ready if program.service == canary else lab.stable_ready for program in programs}
        return {name: Readiness("" if ready else "no answer") for name, ready in up.items()}

    monkeypatch.setattr(probes, "readiness_of", readiness_of)
    monkeypatch.setattr(supervision, "unplanned_starts", lambda _home, _name: lab.restarts)
    monkeypatch.setattr(gate, "read", lambda *_: [Budget("feed-availability", lab.budget_left, 0.0, 6.0, 43200.0)])
    monkeypatch.setattr(journal, "is_controlled", lambda _home: True)
    state.make_directories(clients.home)
    counting = gateway.state.setdefault("comparison", {"step": "", "slos": {}})
    assert counting is not None
    original = FakeGateway.__call__

    def call(self: FakeGateway, method: str, path: str, body: Any) -> tuple[int, Any]:
        if method == "PUT" and path == "/admin/comparison":
            if body["step"] != self.state["comparison"]["step"]:
                lab.counted[body["step"]] = lab.now
            self.state["comparison"] = body
            return 200, {"old": None, "new": body}
        return original(self, method, path, body)

    monkeypatch.setattr(FakeGateway, "__call__", call)
    return lab


def _refusal(settings: dict[str, Any]) -> str:
    known = (names.VERSION_STABLE, names.VERSION_CANARY, names.VERSION_NEXT)
    version = settings.get("version", names.VERSION_STABLE)
    return "" if version in known else f"version={version!r} is not a version of the feed service"
