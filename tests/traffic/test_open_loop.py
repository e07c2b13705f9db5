"""The load generator is open-loop: arrivals are sent when they are due, regardless of earlier responses."""

from __future__ import annotations

import asyncio
import collections
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from lab import names
from lab.errors import UsageError
from lab.traffic import arrivals, generator
from lab.traffic.__main__ import checked_target
from lab.traffic.arrivals import Arrivals
from lab.traffic.generator import Extra, Generator
from lab.traffic.mix import AUDIENCE, CLIENTS, FEED_RATIO, Mix

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@given(rate=st.floats(1, 500), steps=st.lists(st.floats(0.001, 3), min_size=1, max_size=30))
@settings(max_examples=50)
def test_arrivals_do_not_depend_on_how_often_they_are_polled(rate: float, steps: list[float]) -> None:
    """The schedule is fixed in advance: no arrival is lost or moved because polling was late."""
    often, once = Arrivals(rate, 0.0), Arrivals(rate, 0.0)
    now, seen = 0.0, []
    for step in steps:
        now += step
        seen += often.due(now)
    assert seen == once.due(now)
    assert seen == sorted(seen)


@pytest.mark.parametrize("rate", [20, 80, 200])
def test_after_the_ramp_the_rate_is_the_configured_one(rate: float) -> None:
    schedule = Arrivals(rate, 0.0)
    schedule.due(arrivals.RAMP_SECONDS)
    counted = len(schedule.due(arrivals.RAMP_SECONDS + 120))
    assert abs(counted / 120 - rate) < 0.1 * rate


def test_the_rate_ramps_up_after_the_start() -> None:
    schedule = Arrivals(100, 0.0)
    assert len(schedule.due(1.0)) < 30 < len(schedule.due(10.0))


def test_a_new_rate_is_effective_immediately_and_zero_stops() -> None:
    schedule = Arrivals(100, 0.0)
    schedule.due(20.0)
    schedule.retime(0, 20.0)
    assert len(schedule.due(30.0)) <= 1
    schedule.retime(200, 30.0)
    assert abs(len(schedule.due(40.0)) - 2000) < 300


def test_the_mix_has_the_configured_shares_users_and_clients() -> None:
    mix = Mix("127.0.0.1:1", seed=5)
    requests = [mix.next() for _ in range(20_000)]
    feeds = [request for request in requests if request.route == names.ROUTE_FEED]
    assert abs(len(feeds) / len(requests) - FEED_RATIO) < 0.02
    writes = [request for request in requests if request.data.startswith(b"PUT")]
    assert 0.05 < len(writes) / len(requests) < 0.15
    keys = collections.Counter(request.data.split(b" ")[1] for request in feeds)
    assert AUDIENCE * 0.9 < len(keys) <= AUDIENCE
    assert keys.most_common(1)[0][1] > 50 * keys.most_common()[-1][1]
    clients = {line for request in requests for line in request.data.split(b"\r\n") if line.startswith(b"X-Client-Id")}
    assert len(clients) == CLIENTS


def test_every_request_starts_a_new_trace() -> None:
    mix = Mix("127.0.0.1:1")
    traces = {
        line for _ in range(100) for line in mix.next().data.split(b"\r\n") if line.startswith(b"traceparent: 00-")
    }
    assert len(traces) == 100


@asynccontextmanager
async def offering(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object], rate: float
) -> AsyncIterator[tuple[Generator, Callable[[str], float]]]:
    """A running generator with a server that `answer` implements, and a function for the sum of a metric."""
    monkeypatch.setattr(arrivals, "RAMP_SECONDS", 0.001)
    server = await asyncio.start_server(answer, "127.0.0.1", 0)  # type: ignore[arg-type]
    registry = CollectorRegistry()
    running = Generator(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", rate, registry)

    def total(name: str) -> float:
        return sum(sample.value for family in registry.collect() for sample in family.samples if sample.name == name)

    task = asyncio.ensure_future(running.run())
    try:
        yield running, total
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.close()


async def until(check: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.02)


def test_a_server_that_never_answers_does_not_slow_the_arrivals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed-loop generator would send no more requests than it has connections."""

    async def main() -> None:
        async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read(-1)

        async with offering(monkeypatch, silent, 100) as (load, total):
            started = time.monotonic()
            await until(lambda: total(names.TRAFFIC_OFFERED) >= 300)
            assert 2.0 < time.monotonic() - started < 6.0
            assert load.outstanding >= 290
            assert total(names.TRAFFIC_COMPLETED) == 0

    asyncio.run(main())


def test_arrivals_without_a_connection_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "MAX_CONNECTIONS", 10)

    async def main() -> None:
        async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read(-1)

        async with offering(monkeypatch, silent, 200) as (load, total):
            await until(lambda: total(names.TRAFFIC_OFFERED) >= 50)
            assert load.outstanding == 10
            assert total(names.TRAFFIC_DROPPED) == total(names.TRAFFIC_OFFERED) - 10

    asyncio.run(main())


def test_responses_are_counted_by_status_over_reused_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    connections = 0

    async def main() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            while head := await reader.readuntil(b"\r\n\r\n"):
                if head.startswith(b"PUT"):
                    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                    await reader.readexactly(length)
                writer.write(OK[:20])
                await writer.drain()
                writer.write(OK[20:])

        async with offering(monkeypatch, serve, 200) as (_, total):
            await until(lambda: total(names.TRAFFIC_COMPLETED) >= 300)
            assert connections < 200
            assert total(f"{names.TRAFFIC_DURATION}_count") == total(names.TRAFFIC_COMPLETED)

    asyncio.run(main())


def test_an_extra_client_sends_at_its_full_rate_immediately(monkeypatch: pytest.MonkeyPatch) -> None:
    clients: collections.Counter[bytes] = collections.Counter()

    async def main() -> None:
        async def record_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            clients[head.split(b"X-Client-Id: ")[1].split(b"\r\n")[0]] += 1
            writer.close()

        async with offering(monkeypatch, record_client, 20) as (load, _):
            load.set_extra(Extra("greedy", 300))
            started = time.monotonic()
            await until(lambda: clients[b"greedy"] >= 150)
            assert time.monotonic() - started < 5.0
            assert load.extra == Extra("greedy", 300)
            assert len(clients) > 1
            load.set_extra(Extra("greedy", 0))
            assert load.extra is None

    asyncio.run(main())


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"nonsense\r\n\r\n"])
def test_a_broken_response_is_counted_as_an_error(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    async def main() -> None:
        async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(answer)
            writer.close()

        async with offering(monkeypatch, broken, 200) as (load, total):
            await until(lambda: total(names.TRAFFIC_COMPLETED) >= 30)
            load.set_rate(0)
            assert load.rate == 0

    asyncio.run(main())


@pytest.mark.parametrize("url", ["http://example.com:80", "http://10.0.0.1:8010", "http://127.0.0.1.evil:80", "x"])
def test_other_machines_are_refused_as_targets(url: str) -> None:
    with pytest.raises(UsageError, match=names.ENV_GATEWAY_URL):
        checked_target(url, frozenset({"gateway"}))


@pytest.mark.parametrize("url", ["http://127.0.0.1:8010", "http://localhost:8010", "http://gateway:8010"])
def test_loopback_and_allowed_hosts_are_targets(url: str) -> None:
    assert checked_target(url, frozenset({"gateway"})) == url


def test_a_crowd_reads_feeds_only_and_is_outside_the_usual_audience() -> None:
    mix = Mix("127.0.0.1:1")
    usual = {mix.next().data.split()[1] for _ in range(5_000)}
    crowd = [mix.of_crowd("guest", 500) for _ in range(3_000)]
    paths = {request.data.split()[1] for request in crowd}
    clients = {line for request in crowd for line in request.data.split(b"\r\n") if line.startswith(b"X-Client-Id")}
    assert {request.route for request in crowd} == {names.ROUTE_FEED}
    assert 490 <= len(paths) == len(clients) <= 500
    assert not usual & paths
