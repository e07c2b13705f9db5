"""Arrivals are offered when they are due, whatever becomes of those before them."""

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
@settings(max_examples=50, deadline=None)
def test_looking_seldom_or_often_gives_the_same_arrivals(rate: float, steps: list[float]) -> None:
    """The schedule is fixed beforehand: no arrival is lost or moved because somebody was late."""
    often, seldom = Arrivals(rate, 0.0), Arrivals(rate, 0.0)
    now, seen = 0.0, []
    for step in steps:
        now += step
        seen += often.due(now)
    assert seen == seldom.due(now)
    assert seen == sorted(seen)


@pytest.mark.parametrize("rate", [20, 80, 200])
def test_after_the_ramp_the_rate_is_what_was_asked_for(rate: float) -> None:
    one = Arrivals(rate, 0.0)
    one.due(arrivals.RAMP_SECONDS)
    counted = len(one.due(arrivals.RAMP_SECONDS + 120))
    assert abs(counted / 120 - rate) < 0.1 * rate


def test_the_start_is_gentle() -> None:
    one = Arrivals(100, 0.0)
    assert len(one.due(1.0)) < 30 < len(one.due(10.0))


def test_a_new_rate_holds_at_once_and_zero_stops() -> None:
    one = Arrivals(100, 0.0)
    one.due(20.0)
    one.retime(0, 20.0)
    assert len(one.due(30.0)) <= 1
    one.retime(200, 30.0)
    assert abs(len(one.due(40.0)) - 2000) < 300


def test_the_mix_is_what_it_says_for_any_seed() -> None:
    mix = Mix("127.0.0.1:1", seed=5)
    requests = [mix.next() for _ in range(20_000)]
    feeds = [one for one in requests if one.route == names.ROUTE_FEED]
    assert abs(len(feeds) / len(requests) - FEED_RATIO) < 0.02
    writes = [one for one in requests if one.data.startswith(b"PUT")]
    assert 0.05 < len(writes) / len(requests) < 0.15
    keys = collections.Counter(one.data.split(b" ")[1] for one in feeds)
    assert AUDIENCE * 0.9 < len(keys) <= AUDIENCE
    assert keys.most_common(1)[0][1] > 50 * keys.most_common()[-1][1]
    clients = {line for one in requests for line in one.data.split(b"\r\n") if line.startswith(b"X-Client-Id")}
    assert len(clients) == CLIENTS


def test_every_request_starts_a_trace_of_its_own() -> None:
    mix = Mix("127.0.0.1:1")
    traces = {
        line for _ in range(100) for line in mix.next().data.split(b"\r\n") if line.startswith(b"traceparent: 00-")
    }
    assert len(traces) == 100


@asynccontextmanager
async def offering(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object], rate: float
) -> AsyncIterator[tuple[Generator, Callable[[str], float]]]:
    """A generator at work on a server of the test's own, and the sum of one of its metrics."""
    monkeypatch.setattr(arrivals, "RAMP_SECONDS", 0.001)
    server = await asyncio.start_server(answer, "127.0.0.1", 0)  # type: ignore[arg-type]
    registry = CollectorRegistry()
    one = Generator(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", rate, registry)

    def total(name: str) -> float:
        return sum(sample.value for family in registry.collect() for sample in family.samples if sample.name == name)

    task = asyncio.ensure_future(one.run())
    try:
        yield one, total
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
    """The heart of it: a closed loop would offer no more than it has connections."""

    async def main() -> None:
        async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read(-1)

        async with offering(monkeypatch, silent, 100) as (one, total):
            started = time.monotonic()
            await until(lambda: total(names.TRAFFIC_OFFERED) >= 300)
            assert 2.0 < time.monotonic() - started < 6.0
            assert one.outstanding >= 290
            assert total(names.TRAFFIC_COMPLETED) == 0

    asyncio.run(main())


def test_arrivals_without_a_connection_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "MAX_CONNECTIONS", 10)

    async def main() -> None:
        async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read(-1)

        async with offering(monkeypatch, silent, 200) as (one, total):
            await until(lambda: total(names.TRAFFIC_OFFERED) >= 50)
            assert one.outstanding == 10
            assert total(names.TRAFFIC_DROPPED) == total(names.TRAFFIC_OFFERED) - 10

    asyncio.run(main())


def test_answers_are_counted_by_status_over_kept_connections(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_one_client_may_ask_for_more_beside_all_others_at_full_rate_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clients: collections.Counter[bytes] = collections.Counter()

    async def main() -> None:
        async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            clients[head.split(b"X-Client-Id: ")[1].split(b"\r\n")[0]] += 1
            writer.close()

        async with offering(monkeypatch, note, 20) as (one, _):
            one.set_extra(Extra("greedy", 300))
            started = time.monotonic()
            await until(lambda: clients[b"greedy"] >= 150)
            assert time.monotonic() - started < 5.0
            assert one.extra == Extra("greedy", 300)
            assert len(clients) > 1
            one.set_extra(Extra("greedy", 0))
            assert one.extra is None

    asyncio.run(main())


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"nonsense\r\n\r\n"])
def test_a_broken_answer_is_an_error_and_no_end(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    async def main() -> None:
        async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(answer)
            writer.close()

        async with offering(monkeypatch, broken, 200) as (one, total):
            await until(lambda: total(names.TRAFFIC_COMPLETED) >= 30)
            one.set_rate(0)
            assert one.rate == 0

    asyncio.run(main())


@pytest.mark.parametrize("url", ["http://example.com:80", "http://10.0.0.1:8010", "http://127.0.0.1.evil:80", "x"])
def test_load_goes_to_this_machine_only(url: str) -> None:
    with pytest.raises(UsageError, match=names.ENV_GATEWAY_URL):
        checked_target(url, frozenset({"gateway"}))


@pytest.mark.parametrize("url", ["http://127.0.0.1:8010", "http://localhost:8010", "http://gateway:8010"])
def test_this_machine_and_allowed_names_are_targets(url: str) -> None:
    assert checked_target(url, frozenset({"gateway"})) == url


def test_a_crowd_is_of_people_who_are_not_of_the_usual_audience_and_only_reads_feeds() -> None:
    mix = Mix("127.0.0.1:1")
    usual = {mix.next().data.split()[1] for _ in range(5_000)}
    crowd = [mix.of_crowd("guest", 500) for _ in range(3_000)]
    paths = {request.data.split()[1] for request in crowd}
    clients = {line for request in crowd for line in request.data.split(b"\r\n") if line.startswith(b"X-Client-Id")}
    assert {request.route for request in crowd} == {names.ROUTE_FEED}
    assert 490 <= len(paths) == len(clients) <= 500
    assert not usual & paths
