"""The gate for CI: its exit status follows from what Prometheus says of the budgets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lab.slo.rendering import series
from scripts import budget_gate

ANSWERS: dict[str, float] = {}


class FakePrometheus(BaseHTTPRequestHandler):
    """Answers an instant query with the value of the series that it names."""

    def answer(self, query: str) -> None:
        known = {"vector(1)": 1.0, **ANSWERS}
        value = next((value for name, value in known.items() if query.startswith(name)), None)
        result = [] if value is None else [{"metric": {}, "value": [0, str(value)]}]
        body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.answer(parse_qs(urlsplit(self.path).query)["query"][0])

    def do_POST(self) -> None:
        self.answer(parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())["query"][0])

    def log_message(self, *_: Any) -> None:
        """Nothing is logged."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakePrometheus)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    ANSWERS.clear()


def ask(url: str, change: str = "rollout") -> int:
    return budget_gate.main(["--prometheus", url, "--service", "feed", "--change", change])


@pytest.mark.parametrize(
    ("left", "bad", "change", "status", "why"),
    [
        (0.9, 0.0, "rollout", 0, "allow: feed-availability has 90.0% of its budget left"),
        (-0.1, 0.0, "rollout", 1, "deny: feed-availability has -10.0%"),
        (-0.1, 0.0, "rollback", 0, "allow: a rollback always passes"),
        (0.9, 0.5, "config", 1, "burns its budget at"),
    ],
)
def test_the_exit_status_is_that_of_the_policy(
    url: str, capsys: pytest.CaptureFixture[str], left: float, bad: float, change: str, status: int, why: str
) -> None:
    ANSWERS.update({series.BUDGET_REMAINING: left, "slo:sli_error:ratio_rate": bad})
    assert ask(url, change) == status
    assert why in capsys.readouterr().out


def test_what_prometheus_does_not_know_is_unknown(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(url) == 2
    assert "unknown: Prometheus does not know the budget of feed-availability" in capsys.readouterr().out
    for change in ("rollout", "config", "rollback"):
        assert ask("http://127.0.0.1:1", change) == 2
        assert "does not answer" in capsys.readouterr().err
    assert ask("ftp://x") == 2
    assert "--prometheus" in capsys.readouterr().err


def test_an_unknown_service_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        budget_gate.main(["--prometheus", "http://127.0.0.1:1", "--service", "mail", "--change", "rollout"])
    assert refused.value.code == 2
    assert "invalid choice: 'mail'" in capsys.readouterr().err
