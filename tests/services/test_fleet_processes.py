"""All tiers as processes: link, user, feed, canary and gateway, with real PostgreSQL and Valkey."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from services_support import Process
from support import eventually

from lab import names
from lab.services.feed.ranking import PAGE_ITEMS

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE_ID = PARENT.split("-")[1]


@dataclass
class Fleet:
    link: Process
    user: Process
    feed: Process
    canary: Process
    gateway: Process
    gateway_variables: dict[str, str]
    running: dict[str, Any]

    def get(self, path: str, **headers: str) -> Any:
        request = urllib.request.Request(f"http://{self.gateway.public}{path}", headers=headers)
        return urllib.request.urlopen(request, timeout=20)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, seeded_url: str, valkey_url: str) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    link, user, feed, canary, gateway = (
        Process(folder, name) for name in ("link-db", "user-1", "feed-1", "feed-canary-1", "gateway")
    )
    before, after = seeded_url.split("@127.0.0.1:")
    database = before + "@" + link.public + "/" + after.partition("/")[2]
    stores = {names.ENV_DATABASE_URL: database, names.ENV_CACHE_URL: valkey_url}
    users = {names.ENV_UPSTREAMS_USER: f"http://{user.public}"}
    gateway_variables = {
        **users,
        names.ENV_UPSTREAMS_FEED: f"http://{feed.public}",
        names.ENV_UPSTREAMS_CANARY: f"http://{canary.public}",
        names.ENV_STATE_DIR: str(folder / "state"),
    }
    upstream = seeded_url.split("@")[1].split("/")[0]
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        running = {
            "link": enter(link.run("lab.services.link", **{names.ENV_LINK_UPSTREAM: upstream})),
            "user": enter(user.run("lab.services.user", **stores)),
            "feed": enter(feed.run("lab.services.feed", **stores, **users)),
            "canary": enter(canary.run("lab.services.feed", **stores, **users, FLEETOPS_VERSION="1.1.0")),
            "gateway": enter(gateway.run("lab.services.gateway", **gateway_variables)),
        }
        yield Fleet(link, user, feed, canary, gateway, gateway_variables, running)


def test_trace_id_and_request_id_are_propagated_through_every_tier(fleet: Fleet) -> None:
    """gateway → feed → user, read from their logs, each with its own span id."""
    fleet.get("/v1/feed/301", **{"traceparent": PARENT, "X-Request-Id": "req-301"}).read()

    def lines() -> list[dict[str, Any]] | None:
        traced = [
            [line for line in process.lines() if line.get("trace_id") == TRACE_ID and line["event"] == "request"]
            for process in (fleet.gateway, fleet.feed, fleet.user)
        ]
        return [matching[0] for matching in traced] if all(traced) else None

    gateway, feed, user = eventually(lines, "the three tiers have logged the trace")
    assert {line["request_id"] for line in (gateway, feed, user)} == {"req-301"}
    assert len({line["span_id"] for line in (gateway, feed, user)}) == 3
    assert [line["route"] for line in (gateway, feed, user)] == [names.ROUTE_FEED, names.ROUTE_FEED, names.ROUTE_USER]
    assert (feed["cache"], feed["db_operations"]) == ("miss", 2)


def test_the_canary_returns_the_same_feed_but_slowly(fleet: Fleet) -> None:
    """A cached canary request pays the link's delay for every query, and exceeds the p99 objective of 400 ms."""
    fleet.gateway.control("PUT", "/admin/canary", {"weight_percent": 100})
    for _ in range(2):
        answer = fleet.get("/v1/feed/302", **{"X-Request-Id": "slow-302"})
        assert answer.headers[names.HEADER_VERSION] == "1.1.0"
        canary = json.load(answer)
    fleet.gateway.control("PUT", "/admin/canary", {"weight_percent": 0})
    answer = fleet.get("/v1/feed/302")
    assert answer.headers[names.HEADER_VERSION] == "1.0.0"
    assert json.load(answer) == canary
    lines = eventually(
        lambda: [line for line in fleet.canary.lines() if line.get("request_id") == "slow-302"][1:2],
        "the canary logged",
    )
    assert lines[0]["cache"] == "hit"
    assert lines[0]["db_operations"] == 3 * PAGE_ITEMS
    assert lines[0]["duration_seconds"] > 0.4


def test_a_write_through_the_gateway_is_visible_to_reads(fleet: Fleet) -> None:
    fleet.get("/v1/users/303").read()
    request = urllib.request.Request(
        f"http://{fleet.gateway.public}/v1/users/303",
        method="PUT",
        data=b'{"bio": "through the gateway"}',
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["bio"] == "through the gateway"
    assert json.load(fleet.get("/v1/users/303"))["bio"] == "through the gateway"


def test_the_gateway_measures_server_and_client_side_without_raw_paths(fleet: Fleet) -> None:
    fleet.get("/v1/feed/304").read()
    with pytest.raises(urllib.error.HTTPError):
        fleet.get("/secret/304")
    text = urllib.request.urlopen(f"http://{fleet.gateway.admin}/metrics", timeout=10).read().decode()
    assert (
        'http_server_request_duration_seconds_bucket{http_request_method="GET",http_response_status_code="200",' in text
    )
    assert f'http_route="{names.ROUTE_FEED}"' in text
    assert 'http_route="other"' in text
    assert (
        'http_client_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200"' in text
    )
    assert "process_resident_memory_bytes" in text
    assert "/304" not in text


def test_a_request_in_progress_completes_when_its_process_gets_sigterm(
    tmp_path: Path, fleet: Fleet, seeded_url: str, valkey_url: str
) -> None:
    """SIGTERM in the middle of half a second of work: the response is complete, the exit status 0."""
    process = Process(tmp_path, "feed-canary-2")
    database = seeded_url.replace(seeded_url.split("@")[1].split("/")[0], fleet.link.public)
    variables = {
        names.ENV_DATABASE_URL: database,
        names.ENV_CACHE_URL: valkey_url,
        names.ENV_VERSION: "1.1.0",
        names.ENV_UPSTREAMS_USER: f"http://{fleet.user.public}",
    }
    answers: list[tuple[int, int]] = []

    def ask() -> None:
        with urllib.request.urlopen(f"http://{process.public}/v1/feed/305", timeout=20) as answer:
            answers.append((answer.status, len(json.load(answer)["items"])))

    with process.run("lab.services.feed", **variables) as running:
        caller = threading.Thread(target=ask)
        caller.start()

        def in_progress() -> bool:
            text = urllib.request.urlopen(f"http://{process.admin}/metrics", timeout=10).read().decode()
            return 'http_server_threads{state="busy"} 1.0' in text and 'db_operation_name="post.select"' in text

        eventually(in_progress, "the request is in progress")
        running.send_signal(signal.SIGTERM)
        caller.join(30)
        assert running.wait(timeout=20) == 0
    assert answers == [(200, PAGE_ITEMS)], process.log.read_text()[-2000:]


def test_kill_9_of_the_gateway_loses_no_setting(fleet: Fleet) -> None:
    """Acknowledged settings survive the restart; the environment provides initial values only."""
    control = fleet.gateway.control
    control("PUT", "/admin/canary", {"weight_percent": 37})
    control("PUT", "/admin/flags/profile-writes", {"enabled": False})
    control("PUT", "/admin/upstreams/feed", {"urls": [f"http://{fleet.feed.public}", "http://127.0.0.1:9"]})
    fleet.running["gateway"].kill()
    fleet.running["gateway"].wait(timeout=10)
    with fleet.gateway.run("lab.services.gateway", **fleet.gateway_variables):
        state = control("GET", "/admin/state")
        assert state["canary"] == {"weight_percent": 37, "salt": ""}
        assert state["flags"]["profile-writes"]["enabled"] is False
        assert state["upstreams"]["feed"] == [f"http://{fleet.feed.public}", "http://127.0.0.1:9"]
        assert fleet.get("/v1/feed/306").status == 200
