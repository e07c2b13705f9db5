"""The API from which the collector fetches traces."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from flask.testing import FlaskClient

from lab.telemetry.process import Telemetry
from lab.telemetry.settings import Settings
from lab.telemetry.span_routes import Choices, Spans
from lab.telemetry.spans import SERVER, Span

TOKEN = {"Authorization": "Bearer a-token-of-some-length"}  # as in conftest.py


@pytest.fixture
def telemetry(settings: Settings) -> Telemetry:
    return Telemetry(replace(settings, trace_slow_seconds=0.2), edge=True)


@pytest.fixture
def admin(telemetry: Telemetry) -> FlaskClient:
    return telemetry.admin_app().test_client()


def test_spans_are_given_by_trace_with_the_process_that_recorded_them(telemetry: Telemetry, admin: FlaskClient) -> None:
    assert telemetry.ring is not None
    ident = "f" * 16
    telemetry.ring.add(0xAB, [Span("GET /", SERVER, ident, "", 1.5, 0.25)])
    answer = admin.get(f"/admin/spans?ids={0xAB:032x},{0xCD:032x}", headers=TOKEN)
    found = msgspec.json.decode(answer.data, type=Spans).traces
    assert set(found) == {f"{0xAB:032x}"}
    (process,) = found.values()
    assert (process.service, process.version) == ("probe", "7.0.0")
    assert process.spans == [Span("GET /", SERVER, ident, "", 1.5, 0.25)]


def test_choices_are_given_after_a_count(telemetry: Telemetry, admin: FlaskClient) -> None:
    assert telemetry.sampler is not None
    telemetry.sampler.decide(0xAB, 1.0, 200, retried=False, shed=False, sampled=False)
    answer = msgspec.json.decode(admin.get("/admin/traces?after=0", headers=TOKEN).data, type=Choices)
    assert (answer.count, [(one.trace_id, one.reason) for one in answer.chosen]) == (1, [(f"{0xAB:032x}", "slow")])
    assert admin.get("/admin/traces?after=1", headers=TOKEN).get_json() == {"count": 1, "chosen": []}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("spans?ids=12", "not a trace id"),
        ("spans?ids=" + "g" * 32, "not a trace id"),
        ("spans?ids=" + ",".join(["a" * 32] * 201), "at most 200"),
        ("traces?after=-1", "not a count"),
        ("traces?after=x", "not a count"),
        ("traces?after=" + "9" * 40, "not a count"),
    ],
)
def test_wrong_parameters_are_400(admin: FlaskClient, query: str, words: str) -> None:
    answer = admin.get(f"/admin/{query}", headers=TOKEN)
    assert answer.status_code == 400
    assert words in answer.get_json()["error"]


def test_the_token_is_required(admin: FlaskClient) -> None:
    assert admin.get("/admin/spans?ids=").status_code == 401
    assert admin.get("/admin/traces").status_code == 401


def test_a_process_without_tracing_has_no_such_routes(settings: Settings) -> None:
    admin = Telemetry(settings).admin_app().test_client()
    assert admin.get("/admin/spans?ids=", headers=TOKEN).status_code == 404
