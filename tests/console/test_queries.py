"""Queries and log lines on the console."""

from __future__ import annotations

import json
from pathlib import Path

from flask.testing import FlaskClient
from sources import EVIL

from lab.paths import Home


def test_a_query_is_answered_now_and_over_the_last_minutes_and_highlighted_unchanged(client: FlaskClient) -> None:
    text = 'sum(rate(slo:sli_error:ratio_rate5s{sloth_id="x"}[10s])) > 0.1'
    tokens = client.get("/api/tokens", query_string={"query": text}).get_json()["tokens"]
    assert "".join(piece for _, piece in tokens) == text
    assert ["nv", "slo:sli_error:ratio_rate5s"] in tokens
    answer = client.get("/api/query", query_string={"query": "up"}).get_json()
    assert answer["rows"][0]["labels"].startswith("{instance=")
    assert len(answer["lines"][0]["values"]) == 151
    for empty in ("", " ", "x" * 2001):
        assert client.get("/api/query", query_string={"query": empty}).status_code == 400


def test_requests_are_the_newest_line_of_each_trace_and_any_other_line_is_left_out(
    site: Path, client: FlaskClient
) -> None:
    folder = Home(site.parent / "home").logs
    folder.mkdir(parents=True)
    old = {"ts": "2026-01-02T03:04:01.000Z", "event": "request", "trace_id": "ab" * 16, "status": 200}
    new = {"ts": "2026-01-02T03:04:03.000Z", "event": "request", "trace_id": "cd" * 16, "duration_seconds": 1}
    lines = [
        *(json.dumps(line) for line in (old, new, old | {"status": 503, "upstream": "feed", "route": "/feed"})),
        *(json.dumps(line) for line in (old | {"event": "start"}, new | {"trace_id": ""}, {"event": "request"}, [1])),
        "not JSON",
    ]
    (folder / "gateway.log").write_text("\n".join(lines) + "\n")
    empty = dict.fromkeys(("method", "path", "status", "duration_seconds", "upstream"))
    assert client.get("/api/requests").get_json()["requests"] == [
        empty | {"ts": old["ts"], "trace_id": old["trace_id"], "status": 503, "upstream": "feed"},
        empty | {"ts": new["ts"], "trace_id": new["trace_id"], "duration_seconds": 1},
    ]


def test_log_lines_are_those_of_one_request_in_time_order_and_a_bad_id_is_refused(
    site: Path, client: FlaskClient
) -> None:
    folder = Home(site.parent / "home").logs
    folder.mkdir(parents=True)
    trace = "ab" * 16
    for name, second in (("gateway", "02"), ("feed-1", "01"), ("user-1", "03")):
        line = {
            "ts": f"2026-01-02T03:04:{second}.000Z",
            "event": "request",
            "trace_id": trace,
            "path": EVIL,
            "instance": name,
        }
        (folder / f"{name}.log").write_text(json.dumps(line) + "\n" + json.dumps(line | {"trace_id": "cd" * 16}) + "\n")
    lines = [json.loads(line) for line in client.get(f"/api/logs?trace_id={trace}").get_json()["lines"]]
    assert [line["instance"] for line in lines] == ["feed-1", "gateway", "user-1"]
    assert client.get("/api/requests").get_json()["requests"][0]["path"] == EVIL
    for bad in ("", "ab", "../" * 10 + "ab", "zz" * 16):
        assert client.get("/api/logs", query_string={"trace_id": bad}).status_code == 400
