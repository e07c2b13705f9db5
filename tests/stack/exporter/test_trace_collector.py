"""The trace collector and the OTLP exporter, with processes that answer, answer late, or do not answer."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from embedded import free_base
from made_trace import normal, slow
from polling import eventually

from lab import names
from lab.paths import Home, Ports
from lab.stack.exporter import traces
from lab.stack.exporter.traces import OtlpExporter, TraceCollector
from lab.telemetry.metrics import CollectorRegistry
from lab.telemetry.process import Telemetry, serve_admin
from lab.telemetry.server import Server
from lab.telemetry.settings import Address, Environment, Settings
from lab.tracing import store
from lab.tracing.documents import Trace

TOKEN = "a-token-of-some-length"
TRACE_ID = int("b" * 32, 16)


class Fleet:
    """Admin servers of some processes of a lab, and its collector."""

    def __init__(self, home: Home, ports: Ports) -> None:
        self.home, self.ports = home, ports
        self.registry = CollectorRegistry()
        self.exported: list[Trace] = []
        self.servers: list[Server] = []
        self.collector = TraceCollector(home, ports, self.registry, self.exported.extend)

    def serve(self, instance: str, port: int, *, edge: bool = False) -> Telemetry:
        variables = {
            names.ENV_LISTEN: f"127.0.0.1:{port - 1}",
            names.ENV_ADMIN_LISTEN: f"127.0.0.1:{port}",
            names.ENV_TOKEN_FILE: str(self.home.token),
            names.ENV_INSTANCE: instance,
        }
        settings = Settings.read(instance, environment=Environment(variables))
        telemetry = Telemetry(replace(settings, trace_slow_seconds=0.2), edge=edge)
        self.servers.append(serve_admin(telemetry, telemetry.admin_app()))
        assert isinstance(settings.admin_listen, Address)
        return telemetry

    def value(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    monkeypatch.setattr(store, "MAX_AGE_SECONDS", float("inf"))  # the traces are of a fixed day
    home = Home(tmp_path)
    home.token.write_text(TOKEN)
    made = Fleet(home, Ports(free_base()))
    yield made
    for server in made.servers:
        server.drain(0.1)


def answered(telemetry: Telemetry, trace: Trace, part: int) -> None:
    assert telemetry.ring is not None
    telemetry.ring.add(int(trace.trace_id, 16), list(trace.processes[part].spans))


def choose(gateway: Telemetry, trace_id: int = TRACE_ID, seconds: float = 1.0) -> None:
    assert gateway.sampler is not None
    gateway.sampler.decide(trace_id, seconds, 200, retried=False, shed=False, sampled=False)


def test_a_chosen_trace_is_stored_whole_within_one_poll_although_other_processes_are_down(fleet: Fleet) -> None:
    gateway = fleet.serve("gateway", fleet.ports.gateway_admin, edge=True)
    canary = fleet.serve("feed-canary-1", fleet.ports.replica("feed-canary", 1)[1])
    answered(gateway, slow(), 1)
    answered(canary, slow(), 0)
    answered(canary, normal(), 0)  # not chosen
    choose(gateway)
    fleet.collector.poll()
    (line,) = store.summaries(fleet.home)
    assert (line.trace_id, line.spans, line.reason) == ("b" * 32, 52, "slow")
    assert {process.instance for process in store.find(fleet.home, "b").processes} == {"gateway", "feed-canary-1"}
    assert fleet.value(f"{names.TRACES_KEPT}", reason="slow") == 1
    assert fleet.value(f"{names.TRACE_FETCH_FAILURES}", instance="feed-1") == 1
    assert fleet.value(names.TRACE_STORE_BYTES) > 0


def test_spans_of_a_process_that_was_still_working_are_added(fleet: Fleet) -> None:
    gateway = fleet.serve("gateway", fleet.ports.gateway_admin, edge=True)
    canary = fleet.serve("feed-canary-1", fleet.ports.replica("feed-canary", 1)[1])
    answered(gateway, slow(), 1)
    choose(gateway)
    fleet.collector.poll()
    assert store.summaries(fleet.home)[0].spans == 2
    answered(canary, slow(), 0)
    fleet.collector.poll()
    assert store.summaries(fleet.home)[0].spans == 52


def test_a_trace_is_exported_once_when_it_is_no_longer_asked_for(fleet: Fleet) -> None:
    gateway = fleet.serve("gateway", fleet.ports.gateway_admin, edge=True)
    answered(gateway, slow(), 1)
    choose(gateway)
    for polls in range(1, traces.ROUNDS + 3):
        fleet.collector.poll()
        assert len(fleet.exported) == (polls >= traces.ROUNDS)


def test_a_restarted_collector_keeps_what_is_stored_and_takes_what_was_chosen_meanwhile(fleet: Fleet) -> None:
    gateway = fleet.serve("gateway", fleet.ports.gateway_admin, edge=True)
    answered(gateway, slow(), 1)
    choose(gateway)
    fleet.collector.poll()
    answered(gateway, normal(), 0)
    choose(gateway, int("a" * 32, 16))
    again = TraceCollector(fleet.home, fleet.ports, CollectorRegistry(), lambda _: None)
    again.poll()
    assert {line.trace_id for line in store.summaries(fleet.home)} == {"a" * 32, "b" * 32}


def test_a_restarted_gateway_starts_its_count_again(fleet: Fleet) -> None:
    gateway = fleet.serve("gateway", fleet.ports.gateway_admin, edge=True)
    for number in range(5):
        choose(gateway, number + 1)
    fleet.collector.poll()
    fleet.servers.pop().drain(0.1)
    restarted = fleet.serve("gateway", fleet.ports.gateway_admin, edge=True)
    answered(restarted, slow(), 1)
    choose(restarted)
    fleet.collector.poll()
    assert [line.trace_id for line in store.summaries(fleet.home)] == ["b" * 32]


def test_without_any_process_a_poll_stores_nothing_and_does_not_fail(fleet: Fleet) -> None:
    fleet.collector.poll()
    assert store.summaries(fleet.home) == []


def test_a_full_disk_loses_nothing_that_is_still_asked_for(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = fleet.serve("gateway", fleet.ports.gateway_admin, edge=True)
    answered(gateway, slow(), 1)
    choose(gateway)

    def full(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(store.Writer, "add", full)
        with pytest.raises(sqlite3.OperationalError):
            fleet.collector.poll()
    assert fleet.exported == []
    fleet.collector.poll()
    assert [line.trace_id for line in store.summaries(fleet.home)] == ["b" * 32]


def test_a_disk_that_stays_full_lets_no_traces_pile_up(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = fleet.serve("gateway", fleet.ports.gateway_admin, edge=True)
    answered(gateway, slow(), 1)
    choose(gateway)

    def full(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store.Writer, "add", full)
    for _ in range(traces.ROUNDS):
        with pytest.raises(sqlite3.OperationalError):
            fleet.collector.poll()
    assert len(fleet.exported) == 1  # it is no longer asked for
    fleet.collector.poll()


Answer = Callable[[], tuple[int, float]]


@pytest.fixture
def endpoint() -> Iterator[tuple[str, list[dict[str, Any]], list[float]]]:
    """An OTLP endpoint: its URL, the requests that it got, and the seconds that it waits before each answer."""
    got: list[dict[str, Any]] = []
    delays = [0.0]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            time.sleep(delays[0])
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", got, delays
    server.shutdown()


def test_traces_are_posted_as_otlp(endpoint: tuple[str, list[dict[str, Any]], list[float]]) -> None:
    url, got, _ = endpoint
    registry = CollectorRegistry()
    exporter = OtlpExporter(url, registry)
    exporter.start()
    exporter.export([normal(), slow()])
    assert eventually(lambda: registry.get_sample_value(names.TRACES_EXPORTED, {"result": "sent"}) == 2, 10)
    exporter.stop()
    (request,) = got
    assert sum(len(one["scopeSpans"][0]["spans"]) for one in request["resourceSpans"]) == 56


def failed(registry: CollectorRegistry, count: int) -> bool:
    return registry.get_sample_value(names.TRACES_EXPORTED, {"result": "failed"}) == count


def test_a_dead_or_slow_endpoint_blocks_nobody_and_what_it_does_not_take_is_counted(
    endpoint: tuple[str, list[dict[str, Any]], list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _, delays = endpoint
    delays[0] = 5.0
    monkeypatch.setattr(OtlpExporter, "QUEUE", 5)
    for address in (url, "http://127.0.0.1:9"):
        registry = CollectorRegistry()
        exporter = OtlpExporter(address, registry)
        started = time.monotonic()
        exporter.export([slow()] * 8)
        assert time.monotonic() - started < 1
        assert registry.get_sample_value(names.TRACES_EXPORTED, {"result": "dropped"}) == 3
        exporter.start()
        assert eventually(partial(failed, registry, 5), 10)
        exporter.stop()
