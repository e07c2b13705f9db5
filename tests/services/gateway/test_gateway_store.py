"""A setting is applied only after it has been validated and written, and every stored setting can be read restarted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from gateway_support import Gateway, a_gateway
from hypothesis import given
from hypothesis import strategies as st
from services_support import TOKEN, MakeTelemetry

from lab import names
from lab.errors import UsageError
from lab.services.gateway import state as steps
from lab.services.gateway.admin import Controls
from lab.services.gateway.comparison import Comparison
from lab.services.gateway.rate_limit import RateLimiter
from lab.services.gateway.state import State
from lab.services.gateway.store import Store
from lab.services.upstream import ClientMetrics, Upstream
from lab.telemetry.metrics import CollectorRegistry
from lab.telemetry.settings import checked_url

gateway = a_gateway

BEARER = {"Authorization": f"Bearer {TOKEN}"}
METRICS = ClientMetrics(CollectorRegistry())
UNUSABLE = [
    "http://a b:1",
    "http://a\n:1",
    "http://a:1\t",
    "http://a..b:1",
    f"http://{'a' * 70}:1",
    "http://a%20b:1",
    "http://a:0",
    "http://a:99999",
    "http://a:+1",
    "http://:1",
    "http://@:1",
    "http://a:1/x",
    "http://[::1",
    "http://[fe80::1%25eth0]:1",
    "http://\ud800:1",
    "\0",
]


@pytest.mark.parametrize("url", UNUSABLE)
def test_an_unusable_upstream_url_is_refused_and_nothing_is_changed(gateway: Gateway, tmp_path: Path, url: str) -> None:
    gateway.control("canary", {"weight_percent": 100})
    before = gateway.state(), (tmp_path / "state" / "gateway.json").read_bytes()
    answer = gateway.admin.put("/admin/upstreams/feed-canary", json={"urls": [gateway.canary.url, url]}, headers=BEARER)
    assert answer.status_code == 400
    assert (gateway.state(), (tmp_path / "state" / "gateway.json").read_bytes()) == before
    assert gateway.client.get("/v1/feed/7").headers[names.HEADER_VERSION] == "1.1.0"
    assert not Store(tmp_path / "state", State()).refused


@given(st.text(max_size=30) | st.from_regex(r"http://[\w.%\[\]:@ -]{1,30}:[0-9]{1,6}/?", fullmatch=True))
def test_a_base_url_is_refused_or_normalised_once_and_for_all(text: str) -> None:
    try:
        url = checked_url(text, "urls")
    except UsageError as problem:
        assert "\n" not in str(problem)
        return
    assert checked_url(url, "urls") == url
    Upstream("user", [url], 1.0, METRICS).close()


def test_a_state_that_cannot_be_applied_is_not_written(tmp_path: Path) -> None:
    store = Store(tmp_path, State())

    def refuse(_state: State) -> Any:
        raise UsageError("cannot be built")

    with pytest.raises(UsageError, match="cannot be built"):
        store.change(steps.with_canary, {"weight_percent": 5}, build=refuse)
    assert store.state == State()
    assert not (tmp_path / "gateway.json").exists()


DEFAULT_URLS: dict[str, tuple[str, ...]] = {"user": ("http://127.0.0.1:9",), "feed": (), "feed-canary": ()}


@pytest.mark.parametrize(
    ("part", "value", "refused"),
    [
        ("upstreams", {"feed-canary": ["http://a b:1"]}, "upstreams.feed-canary"),
        ("upstreams", {"feed-canary": None}, "upstreams.feed-canary"),
        ("upstreams", 5, "upstreams.user"),
        ("canary", {"weight_percent": 900}, "canary"),
        ("canary", [], "canary"),
        ("flags", {"feed": {"enabled": "no"}}, "flags.feed"),
        ("flags", ["feed"], "flags.canary"),
        ("ratelimit", {"client_per_second": 0}, "ratelimit"),
        ("shed", {"of_a_newer_version": 1}, "shed"),
        ("retry", {"on": [["timeout"]]}, "retry"),
        ("breakers", {"user": {}}, "breakers"),
        ("cache", "300", "cache"),
        ("timeouts", {"user": True}, "timeouts"),
    ],
)
def test_an_invalid_stored_part_has_its_default_and_the_others_are_used(
    tmp_path: Path, make_telemetry: MakeTelemetry, part: str, value: Any, refused: str
) -> None:
    defaults = State(upstreams=DEFAULT_URLS)
    store = Store(tmp_path, defaults)
    store.change(steps.with_canary, {"weight_percent": 7})
    store.change(steps.with_timeouts, {"feed": 2})
    file = tmp_path / "gateway.json"
    written = json.dumps({**json.loads(file.read_text()), part: value})
    file.write_text(written)
    restarted = Store(tmp_path, defaults)
    assert restarted.refused[0].startswith(f"{refused}: ")
    assert "\n" not in restarted.refused[0]
    assert restarted.state.public()[part] == defaults.public()[part]
    assert restarted.state.weight_percent == (7 if part != "canary" else 0)
    assert restarted.state.timeouts_seconds["feed"] == (2 if part != "timeouts" else 3)
    assert (tmp_path / "gateway.json.refused").read_text() == written

    telemetry = make_telemetry("gateway")
    metrics = ClientMetrics(telemetry.registry)
    upstreams = {name: Upstream(name, urls, 1.0, metrics) for name, urls in restarted.state.upstreams.items()}
    controls = Controls(telemetry, restarted, RateLimiter(restarted.state.ratelimit), upstreams, Comparison())
    assert telemetry.registry.get_sample_value(names.GATEWAY_STATE_REFUSED) == len(restarted.refused)
    ready = telemetry.admin_app().test_client().get("/readyz")
    assert ready.status_code == 200
    assert ready.json is not None
    assert refused in ready.json["notes"][0]

    controls.change(steps.with_canary, {"weight_percent": 8})
    assert not Store(tmp_path, defaults).refused, "the next change writes a valid state again"


@pytest.mark.parametrize("data", [b"{", b"[]", b'"x"', b"null", b"\0", b"\xff", b"[" * 9000, b'{"a": 1, "a": 2}'])
def test_an_invalid_state_file_is_copied_and_the_gateway_starts_with_defaults(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "gateway.json").write_bytes(data)
    store = Store(tmp_path, State())
    assert store.state == State()
    assert store.refused[0].startswith("the whole file: ")
    assert (tmp_path / "gateway.json.refused").read_bytes() == data
