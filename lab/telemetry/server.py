"""The WSGI server: waitress, extended with draining and with the time of receipt, so that queueing is measured.

Both extensions and the loop (loop.py) use private members of waitress, so pyproject.toml pins its version exactly.
Measured against it, with 16 threads and one process each: cheroot and gunicorn's gthread bind a thread to every
connection, so 32 half-sent requests block all others, and serve half to two thirds of the requests a second; granian
serves somewhat more, takes 30 to 50 MiB more in each process, and does not expose the queue.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from time import perf_counter
from typing import Any, cast

from flask import Flask
from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError, TransferEncodingNotImplemented
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask

from lab.errors import LabError
from lab.telemetry.http import RECEIVED_AT
from lab.telemetry.loop import Loop
from lab.telemetry.settings import Address

MAX_REQUEST_BODY_BYTES = 1024 * 1024
CONNECTION_LIMIT = 2000
IDLE_CONNECTION_SECONDS = 30


class _Task(WSGITask):
    def get_environment(self) -> dict[str, Any]:
        environ: dict[str, Any] = super().get_environment()
        environ[RECEIVED_AT] = getattr(self.channel, "received_at", None)
        return environ

    def build_response_header(self) -> bytes:
        # Tell keep-alive clients that this process is shutting down; otherwise their next request would be cut off.
        if getattr(self.channel.server, "draining", False):
            self.set_close_on_finish()
        header: bytes = super().build_response_header()
        return header


class _Parser(HTTPRequestParser):
    """Reports malformed and unsupported requests as client errors (400) instead of server errors."""

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except TransferEncodingNotImplemented as problem:
            raise ParsingError(*problem.args) from None
        except ValueError:  # a length of 5,000 digits, or a host that urllib cannot parse
            raise ParsingError("a header cannot be read") from None


class _ErrorTask(ErrorTask):
    """Answers a malformed request in the apps' error format."""

    def execute(self) -> None:
        problem: Any = cast(Any, self.request).error
        body = json.dumps({"error": " ".join(f"{problem.reason}: {problem.body}".split())}).encode()
        self.status = f"{problem.code} {problem.reason}"
        self.response_headers = [("Content-Type", "application/json")]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


_serving = threading.local()


class _Channel(HTTPChannel):
    task_class = _Task
    error_task_class = _ErrorTask
    parser_class = _Parser
    received_at = 0.0
    server: Any
    _fileno: int | None

    def add_channel(self, map: Any = None) -> None:  # noqa: A002 - as waitress calls it
        super().add_channel(map)
        self.server.loop.changed(self)

    def del_channel(self, map: Any = None) -> None:  # noqa: A002
        self.server.loop.forget(self._fileno)
        super().del_channel(map)

    def service(self) -> None:
        _serving.channel = self
        super().service()


class _Dispatcher(ThreadedTaskDispatcher):
    def add_task(self, task: Any) -> None:
        task.received_at = perf_counter()
        super().add_task(task)


class Server:
    """One listening socket and its threads. `run` blocks until `drain` is called from any thread.

    Raises LabError when it cannot listen on `address`.
    """

    def __init__(
        self, app: Flask, address: Address, threads: int, max_body_bytes: int = MAX_REQUEST_BODY_BYTES
    ) -> None:
        self._dispatcher = _Dispatcher()
        self._map: dict[int, Any] = {}
        try:
            server = create_server(
                app,
                self._map,
                host=address.host,
                port=address.port,
                _dispatcher=self._dispatcher,
                ident=None,
                connection_limit=CONNECTION_LIMIT,
                backlog=1024,
                max_request_body_size=max_body_bytes,
                # Close the idle connections that a burst leaves behind.
                channel_timeout=IDLE_CONNECTION_SECONDS,
                cleanup_interval=IDLE_CONNECTION_SECONDS // 3,
                clear_untrusted_proxy_headers=True,
            )
        except OSError as problem:
            raise LabError(
                f"cannot listen on {address}: {problem.strerror or problem}; free the port or choose another"
            ) from None
        if not isinstance(server, BaseWSGIServer):
            raise LabError(f"{address} resolves to several sockets; use one IP address")
        server.channel_class = _Channel
        self._server = cast(Any, server)
        self._server.loop = self._loop = Loop(self._map)
        self._server.pull_trigger = self._wake
        self._dispatcher.set_thread_count(threads)

    @property
    def waiting(self) -> int:
        """Received requests that wait for a thread."""
        return len(self._dispatcher.queue)

    @property
    def busy(self) -> int:
        """Threads that are serving a request."""
        return self._dispatcher.active_count

    def run(self) -> None:
        """Serves until drained."""
        self._loop.run()
        self._dispatcher.shutdown(timeout=1)

    def run_in_thread(self, name: str) -> None:
        """Serves in a daemon thread."""
        threading.Thread(target=self.run, name=name, daemon=True).start()

    def drain(self, limit_seconds: float) -> None:
        """Stops listening, waits up to `limit_seconds` for requests in progress, then ends `run`."""
        self._server.draining = True  # read by _Task
        self._in_loop(lambda: wasyncore.dispatcher.close(self._server))
        deadline = time.monotonic() + limit_seconds
        quiet = 0
        while quiet < 3 and time.monotonic() < deadline:
            quiet = quiet + 1 if not self.waiting and not self.busy else 0
            time.sleep(0.02)
        self._in_loop(lambda: wasyncore.close_all(self._map))

    def _wake(self) -> None:
        """Called by waitress when a thread has written to its connection or is done with it."""
        self._loop.changed(_serving.channel)
        self._server.trigger.pull_trigger()

    def _in_loop(self, action: Callable[[], object]) -> None:
        """Runs `action` in the thread that owns the sockets."""
        self._server.trigger.pull_trigger(action)
