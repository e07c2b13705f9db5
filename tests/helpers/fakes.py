"""A JSON server whose responses a test defines, and fakes of the gateway and the pager for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[str, str, Any], tuple[int, Any]]


class JsonServer:
    """Answers every request with the result of `answer(method, path, body)`, and records the requests in `asked`."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                try:
                    body = json.loads(raw) if raw else None
                except ValueError:
                    body = raw.decode()
                outer.asked.append((self.command, self.path, body))
                status, content = outer.answer(self.command, self.path, body)
                data = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = handle_any  # noqa: N815 - names that http.server requires

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class FakeGateway:
    """A fake of the gateway's admin API, with the state that the commands use."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {
            "canary": {"weight_percent": 0},
            "flags": {"canary": {"enabled": True, "help": "off: no client"}},
            "ratelimit": {"client_per_second": 50, "client_burst": 100},
            "shed": {"max_inflight": 160, "guest_ratio": 0.5},
            "retry": {"max_retries": 1, "budget_ratio": 5, "on": ["unreachable"]},
            "timeouts": {"user": 1, "feed": 3, "feed-canary": 3},
            "breakers": {"user": "off", "feed": "off", "feed-canary": "off"},
            "cache": {"feed_ttl_seconds": 300},
            "upstreams": {"user": ["u1", "u2"], "feed": ["f1", "f2"], "feed-canary": ["c1"]},
        }

    def __call__(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if method == "GET":
            return 200, self.state
        if path == "/admin/canary":
            self.state["canary"] = {**self.state["canary"], **body}
        elif path.startswith("/admin/flags/"):
            self.state["flags"][path.rpartition("/")[2]]["enabled"] = body["enabled"]
        elif (part := path.removeprefix("/admin/")) in ("ratelimit", "shed", "retry", "timeouts", "breakers", "cache"):
            self.state[part] = {**self.state[part], **body}
        elif path.startswith("/admin/upstreams/"):
            self.state["upstreams"][path.rpartition("/")[2]] = body["urls"]
        else:
            return 404, {"error": f"no route {path}"}
        return 200, {"old": None, "new": body}


class FakePager:
    """A fake of the pager that stores audit rows by id; tests set `pages`."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.pages: list[dict[str, Any]] = []

    def __call__(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if method == "POST" and path == "/api/audit":
            self.rows[body["id"]] = body
            return 200, body
        if path.startswith("/api/pages/"):
            page = next((page for page in self.pages if path.endswith(f"/{page['id']}")), None)
            return (200, page) if page else (404, {"error": "no such page"})
        return 200, {"pages": self.pages, "audit": list(self.rows.values())}
