"""An invalid body is answered as a client error with a one-line reason, never with 500."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask, jsonify
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from hypothesis import given
from hypothesis import strategies as st

from lab.telemetry import json_text
from lab.telemetry.body import json_body
from lab.telemetry.json_text import MAX_DEPTH, JsonError
from lab.telemetry.web import new_app

JSON = "application/json"
LIMIT = 60_000


@pytest.fixture
def client() -> FlaskClient:
    app: Flask = new_app("reader", max_body_bytes=LIMIT)

    @app.post("/object")
    def an_object() -> ResponseReturnValue:
        return jsonify(json_body())

    return app.test_client()


@pytest.mark.parametrize(
    ("body", "kind", "status", "named"),
    [
        (b"[" * 8000, JSON, 400, "nested more than"),
        (b'{"a":' * 8000, JSON, 400, "nested more than"),
        (b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), JSON, 400, "nested more than"),
        (b'{"a": "\\ud800"}', JSON, 400, "surrogate"),
        (b'{"\\uDfFf": 1}', JSON, 400, "surrogate"),
        (b'{"a": NaN}', JSON, 400, "NaN"),
        (b'{"a": -Infinity}', JSON, 400, "-Infinity"),
        (b'{"a": 1e999}', JSON, 400, "1e999, a number beyond 64 bits"),
        (b'{"a": ' + b"9" * 5000 + b"}", JSON, 400, "beyond 64 bits"),
        (b'{"a": 9223372036854775808}', JSON, 400, "9223372036854775808, a number beyond 64 bits"),
        (b'{"a": 1, "b": 2, "a": 3}', JSON, 400, "key 'a' twice"),
        (b'{"a": "\xff"}', JSON, 400, "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), JSON, 400, "not UTF-8"),
        ('{"a": "é"}'.encode("latin-1"), JSON, 400, "not UTF-8"),
        (b'{"a": 1', JSON, 400, "not JSON"),
        (b'{"a": "\n"}', JSON, 400, "not JSON"),
        (b'"' + b'\\"' * 20_000, JSON, 400, "not JSON"),
        (b"", JSON, 400, "not JSON"),
        (b"null", JSON, 400, "not a JSON object"),
        (b'{"a": 1}', "text/plain", 415, "content type is text/plain"),
        (b'{"a": 1}', "", 415, "content type is missing"),
        (b'{"a": 1}', "application/json; charset=utf-16", 415, "utf-16"),
        (b'{"a": "' + b"x" * LIMIT + b'"}', JSON, 413, str(LIMIT)),
    ],
)
def test_an_invalid_body_is_refused_with_a_one_line_reason(
    client: FlaskClient, body: bytes, kind: str, status: int, named: str
) -> None:
    answer = client.post("/object", data=body, content_type=kind)
    assert (answer.status_code, answer.content_type) == (status, JSON)
    assert answer.json is not None
    assert named in answer.json["error"]
    assert "\n" not in answer.json["error"]
    assert len(answer.json["error"]) < 250


@pytest.mark.parametrize("kind", [JSON, "application/json; charset=UTF-8", "application/problem+json"])
def test_a_valid_body_is_read_with_any_json_content_type(client: FlaskClient, kind: str) -> None:
    body = {"a": "\\ud800 as text", "b": [1, -2.5, None, True, {"🚲": "[[[" * 100}]}
    assert client.post("/object", data=json.dumps(body), content_type=kind).json == body


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(VALUES, st.booleans())
def test_every_json_value_round_trips(value: Any, ascii_only: bool) -> None:
    assert json_text.parse(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


def test_a_duplicate_key_among_many_is_found_in_one_pass() -> None:
    """Comparing every key with every other would take hours here."""
    keys = "".join(f'"{number}":0,' for number in range(200_000))
    with pytest.raises(JsonError, match="has the key 'z' twice"):
        json_text.parse(f'{{{keys}"z":0,"z":0}}')


@given(st.binary(max_size=60) | st.text('[]{}":\\ud8c,1e9nN-', max_size=60).map(str.encode))
def test_any_bytes_are_parsed_or_raise_json_error(data: bytes) -> None:
    try:
        value = json_text.parse(data)
    except JsonError as problem:
        assert "\n" not in str(problem)
    else:
        assert json_text.parse(json.dumps(value)) == value


@pytest.mark.parametrize(
    "number", ["0", "000", "2147483648", "9223372036854775808", "9" * 5000, "-1", "1.0", "٣", "%00"]
)
def test_an_id_out_of_range_is_404_before_any_handler_runs(number: str) -> None:
    app = new_app("ids")
    seen: list[int] = []

    @app.get("/things/<id:thing_id>")
    def thing(thing_id: int) -> str:
        seen.append(thing_id)
        return ""

    answer = app.test_client().get(f"/things/{number}")
    assert (answer.status_code, answer.content_type) == (404, JSON)
    assert app.test_client().get("/things/0002147483647").status_code == 200
    assert seen == [2**31 - 1]
