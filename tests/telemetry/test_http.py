"""Metrics, logs and trace context of every request, without any code in its handler."""

from __future__ import annotations

import json
import threading
import time
import urllib.request

import pytest
from flask import Flask, abort, request
from flask.testing import FlaskClient
from support import eventually, free_port

from lab import names
from lab.telemetry import trace
from lab.telemetry.http import log_field
from lab.telemetry.process import Telemetry
from lab.telemetry.server import Server
from lab.telemetry.settings import Address, Settings
from lab.telemetry.web import new_app

TOKEN = "a-token-of-some-length"  # as in conftest.py
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def probe(telemetry: Telemetry) -> Flask:
    app = new_app("probe")
    telemetry.init_app(app)

    @app.get("/v1/things/<int:thing_id>")
    def thing(thing_id: int) -> str:
        log_field("cache", "hit")
        if thing_id == 13:
            raise RuntimeError("secret detail")
        if thing_id == 14:
            abort(409, "in use")
        headers: dict[str, str] = {}
        trace.inject(headers)
        return json.dumps(headers)

    @app.get("/v1/named")
    def named() -> str:
        return request.args["name"]

    return app


@pytest.fixture
def telemetry(settings: Settings) -> Telemetry:
    return Telemetry(settings)


@pytest.fixture
def client(telemetry: Telemetry) -> FlaskClient:
    return probe(telemetry).test_client()


def count(telemetry: Telemetry, route: str, status: str, method: str = "GET") -> float:
    labels = {
        names.LABEL_METHOD: method,
        names.LABEL_ROUTE: route,
        names.LABEL_STATUS: status,
        names.LABEL_VERSION: "7.0.0",
    }
    return telemetry.registry.get_sample_value(f"{names.HTTP_SERVER_DURATION}_count", labels) or 0.0


def lines(capsysbinary: pytest.CaptureFixture[bytes]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]


def test_requests_are_counted_by_route_template(client: FlaskClient, telemetry: Telemetry) -> None:
    for thing_id in (1, 2, 3):
        client.get(f"/v1/things/{thing_id}")
    assert count(telemetry, "/v1/things/{thing_id}", "200") == 3


def test_unknown_paths_and_methods_share_one_series_each(client: FlaskClient, telemetry: Telemetry) -> None:
    for path in ("/a", "/b", "/v1/things/x"):
        assert client.get(path).json == {"error": "no such route"}
    client.open("/a", method="BREW")
    assert count(telemetry, "other", "404") == 3
    assert count(telemetry, "other", "404", "_OTHER") == 1


def test_every_slo_threshold_is_a_bucket_edge(client: FlaskClient) -> None:
    assert {0.15, 0.2, 0.3, 0.4} <= set(names.LATENCY_BUCKETS_SECONDS)
    assert client.get("/v1/things/1").status_code == 200


def test_an_unhandled_exception_is_answered_500_without_details(
    capsysbinary: pytest.CaptureFixture[bytes], client: FlaskClient, telemetry: Telemetry
) -> None:
    answer = client.get("/v1/things/13")
    assert (answer.status_code, answer.json) == (500, {"error": "internal error"})
    assert count(telemetry, "/v1/things/{thing_id}", "500") == 1
    problem = next(line for line in lines(capsysbinary) if line["event"] == "unhandled exception")
    assert "secret detail" in str(problem["exception"])
    assert problem["trace_id"]


def test_an_error_response_is_one_line_of_json(client: FlaskClient) -> None:
    answer = client.get("/v1/things/14")
    assert (answer.status_code, answer.json) == (409, {"error": "in use"})


def test_a_query_string_may_contain_any_bytes(client: FlaskClient) -> None:
    answer = client.get("/v1/named", environ_overrides={"QUERY_STRING": "name=a\xff%ff"})
    assert (answer.status_code, answer.text) == (200, "a\N{REPLACEMENT CHARACTER}%FF")


def test_the_callers_trace_continues_with_a_new_span(client: FlaskClient) -> None:
    sent = json.loads(client.get("/v1/things/1", headers={"traceparent": PARENT, "tracestate": "a=1"}).data)
    version, trace_id, span_id, flags = sent["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", "4bf92f3577b34da6a3ce929d0e0e4736", "01")
    assert span_id != "00f067aa0ba902b7"
    assert sent["tracestate"] == "a=1"


@pytest.mark.parametrize("bad", ["", "00-zz", "00-" + "0" * 32 + "-00f067aa0ba902b7-01"])
def test_an_invalid_traceparent_starts_a_new_trace(client: FlaskClient, bad: str) -> None:
    ids = {
        json.loads(client.get("/v1/things/1", headers={"traceparent": bad}).data)["traceparent"][3:35] for _ in range(3)
    }
    assert len(ids) == 3


def test_a_valid_request_id_is_kept_and_an_invalid_one_replaced(client: FlaskClient) -> None:
    assert client.get("/v1/things/1", headers={"X-Request-Id": "abc-1"}).headers["X-Request-Id"] == "abc-1"
    replaced = client.get("/v1/things/1", headers={"X-Request-Id": "a b"}).headers["X-Request-Id"]
    assert replaced != "a b"
    assert len(replaced) == 32


def test_every_request_is_logged_as_one_json_line_with_its_trace(
    capsysbinary: pytest.CaptureFixture[bytes], client: FlaskClient
) -> None:
    client.get("/v1/things/1", headers={"traceparent": PARENT, "X-Request-Id": "abc-1"})
    (line,) = [line for line in lines(capsysbinary) if line["event"] == "request"]
    assert line["ts"] and str(line["ts"]).endswith("Z")
    expected = {
        "level": "info",
        "service": "probe",
        "instance": "probe",
        "version": "7.0.0",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "request_id": "abc-1",
        "method": "GET",
        "route": "/v1/things/{thing_id}",
        "status": 200,
        "cache": "hit",
    }
    assert expected.items() <= line.items()
    assert isinstance(line["duration_seconds"], float)


def test_responses_carry_version_and_instance_headers(client: FlaskClient) -> None:
    headers = client.get("/v1/things/1").headers
    assert (headers[names.HEADER_VERSION], headers[names.HEADER_INSTANCE]) == ("7.0.0", "probe")


def test_histograms_carry_the_trace_as_exemplar(client: FlaskClient, telemetry: Telemetry) -> None:
    client.get("/v1/things/1", headers={"traceparent": PARENT})
    text = telemetry.admin_app().test_client().get("/metrics", headers={"Accept": "application/openmetrics-text"}).text
    assert '# {trace_id="4bf92f3577b34da6a3ce929d0e0e4736"}' in text


def test_waiting_for_a_thread_counts_as_latency(telemetry: Telemetry) -> None:
    """While the only thread is busy, a queued request is measured from its arrival."""
    app = probe(telemetry)
    started, release = threading.Event(), threading.Event()

    @app.get("/held")
    def held() -> str:
        started.set()
        release.wait(10)
        return ""

    address = Address("127.0.0.1", free_port())
    server = Server(app, address, threads=1)
    server.run_in_thread("probe")
    try:
        callers = [
            threading.Thread(
                target=lambda path=path: urllib.request.urlopen(f"http://{address}{path}", timeout=20).read()
            )
            for path in ("/held", "/v1/things/1")
        ]
        callers[0].start()
        assert started.wait(10)
        callers[1].start()
        eventually(lambda: server.waiting == 1, "the second request waits")
        queued_at = time.perf_counter()
        eventually(lambda: time.perf_counter() - queued_at > 0.25, "a quarter second passes")
        release.set()
        for caller in callers:
            caller.join(20)
    finally:
        server.drain(1)
    labels = {
        names.LABEL_METHOD: "GET",
        names.LABEL_ROUTE: "/v1/things/{thing_id}",
        names.LABEL_STATUS: "200",
        names.LABEL_VERSION: "7.0.0",
    }
    assert (telemetry.registry.get_sample_value(f"{names.HTTP_SERVER_DURATION}_sum", labels) or 0) > 0.25


def test_the_log_level_can_be_changed_at_run_time_and_debug_logs_each_exchange_without_secrets(
    telemetry: Telemetry, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    admin, client = telemetry.admin_app().test_client(), probe(telemetry).test_client()
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    client.get("/v1/things/1", headers=bearer)
    answer = admin.put("/admin/log", json={"level": "debug"}, headers=bearer)
    assert answer.json == {"old": "info", "new": "debug"}
    client.get("/v1/things/2", headers={**bearer, "X-Colour": "red"})
    assert admin.put("/admin/log", json={"level": "warning"}, headers=bearer).json == {"old": "debug", "new": "warning"}
    client.get("/v1/things/3", headers=bearer)
    assert admin.put("/admin/log", json={"level": "loud"}, headers=bearer).status_code == 400
    assert admin.put("/admin/log", json={"level": "debug"}).status_code == 401
    written = capsysbinary.readouterr().out
    logged = [json.loads(line) for line in written.splitlines()]
    assert [line["path"] for line in logged if line["event"] == "request"] == ["/v1/things/1", "/v1/things/2"]
    (exchange,) = [line for line in logged if line["event"] == "exchange"]
    assert exchange["request_headers"]["X-Colour"] == "red"
    assert "traceparent" in exchange["response_body"]
    assert TOKEN.encode() not in written
    admin.put("/admin/log", json={"level": "info"}, headers=bearer)
