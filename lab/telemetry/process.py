"""The main program of every process: public and admin server, graceful shutdown, one-line errors.

    settings = Settings.read("pager")
    telemetry = Telemetry(settings, checks={"db": ping})
    app = new_app("pager"); telemetry.init_app(app)
    run(telemetry, app, telemetry.admin_app(), closing=[pool.close])

The public app is served on FLEETOPS_LISTEN in the main thread, the admin app (/metrics /livez /readyz /admin/*) on
FLEETOPS_ADMIN_LISTEN in a daemon thread. A process with one port attaches `telemetry.health`, `metrics.expose` and
`AdminAuth` to its public app instead. On SIGTERM and SIGINT the process drains and exits with status 0.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn

from flask import Flask, Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from lab import names
from lab.errors import LabError, UsageError
from lab.telemetry import logs, metrics, span_routes, spans
from lab.telemetry.auth import AdminAuth, require_allowed_host
from lab.telemetry.body import json_body, only_keys
from lab.telemetry.health import Check, Health
from lab.telemetry.http import Observer, ServerTelemetry
from lab.telemetry.metrics import Gauge
from lab.telemetry.sampling import TailSampler
from lab.telemetry.server import MAX_REQUEST_BODY_BYTES, Server
from lab.telemetry.settings import LOG_LEVELS, Environment, Settings
from lab.telemetry.web import new_app

ADMIN_THREADS = 3
DRAIN_SECONDS = 8.0


class Telemetry:
    """Registry, logs, health and HTTP telemetry of one process. At the `edge` it chooses the traces that are kept."""

    def __init__(self, settings: Settings, checks: Mapping[str, Check] | None = None, *, edge: bool = False) -> None:
        logs.configure(settings)
        self.settings = settings
        self.registry = metrics.new_registry(settings)
        self.health = Health(checks)
        self.log = logs.get()
        debug = Gauge(names.LOG_DEBUG, "1 while debug lines are logged, else 0.", registry=self.registry)
        debug.set_function(lambda: float(logs.shows_debug()))
        self._server_telemetry: ServerTelemetry | None = None
        self.ring: spans.Ring | None = None
        self.sampler: TailSampler | None = None
        if settings.trace_slow_seconds is not None:
            self.ring = spans.Ring(settings.trace_slow_seconds)
            self.sampler = TailSampler(settings.trace_slow_seconds) if edge else None

    def init_app(self, app: Flask) -> None:
        """Attaches request telemetry and the Host check to the public `app`."""
        self._server_telemetry = ServerTelemetry(self.settings, self.registry, self.ring, self.sampler)
        self._server_telemetry.init_app(app)
        require_allowed_host(app, self.settings.allowed_hosts)

    def expect_requests(self, method: str, route: str, statuses: Iterable[int]) -> None:
        """Exports the durations of these outcomes of a route from the start. Call it after `init_app`."""
        if self._server_telemetry is None:
            raise RuntimeError("init_app comes first")
        self._server_telemetry.expect(method, route, statuses)

    def observe_requests(self, observer: Observer) -> None:
        """Calls `observer` with the labels and the duration of each answered request. Call it after `init_app`."""
        if self._server_telemetry is None:
            raise RuntimeError("init_app comes first")
        self._server_telemetry.observers.append(observer)

    def admin_app(self) -> Flask:
        """A new app with /metrics, /livez, /readyz and /admin/log. Every /admin route added to it needs the token."""
        app = new_app(f"{self.settings.service}-admin")
        require_allowed_host(app, self.settings.allowed_hosts)
        AdminAuth(self.settings).init_app(app)
        self.health.init_app(app)
        metrics.expose(app, self.registry)
        if self.ring is not None:
            span_routes.expose(app, self.settings, self.ring, self.sampler)

        @app.get("/admin/log")
        def log_level() -> ResponseReturnValue:
            return jsonify(level=logs.current_level())

        @app.put("/admin/log")
        def set_log_level() -> ResponseReturnValue:
            body = json_body()
            only_keys(body, "level")
            if body["level"] not in LOG_LEVELS:
                raise UsageError(f"level: {body['level']!r:.80} is not a level; choose from {', '.join(LOG_LEVELS)}")
            return jsonify(old=logs.set_level(body["level"]), new=body["level"])

        @app.before_request
        def start_log_fields() -> None:
            g.log_fields = {}

        @app.after_request
        def log_changes(response: Response) -> Response:
            if request.method not in {"GET", "HEAD"}:
                self.log.info("admin", method=request.method, path=request.path[:200], status=response.status_code)
            return response

        return app


def run(
    telemetry: Telemetry,
    app: Flask,
    admin_app: Flask | None = None,
    closing: Iterable[Callable[[], None]] = (),
    max_body_bytes: int = MAX_REQUEST_BODY_BYTES,
) -> None:
    """Serves until SIGTERM or SIGINT, drains, calls `closing` in order, then returns.

    A request to `app` with a body of more than `max_body_bytes` is rejected before the app sees it. Raises LabError
    when an address is missing or in use.
    """
    settings = telemetry.settings
    if settings.listen is None:
        raise LabError(f"{settings.service} has no address to listen on; set {names.ENV_LISTEN}")
    server = Server(app, settings.listen, settings.threads, max_body_bytes)
    _export_queue(telemetry, server)
    if admin_app is not None:
        serve_admin(telemetry, admin_app)

    def drain() -> None:
        server.drain(DRAIN_SECONDS)

    def stop(number: int, _frame: object) -> None:
        if telemetry.health.draining.is_set():
            return
        telemetry.health.draining.set()
        telemetry.log.info("draining", signal=signal.Signals(number).name)
        threading.Thread(target=drain, name="drain", daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    telemetry.log.info("listening", address=str(settings.listen), admin_address=str(settings.admin_listen or ""))
    server.run()
    for close in closing:
        close()
    telemetry.log.info("stopped")


def is_config_check(env: Environment) -> bool:
    """Whether the process was started with --check, to validate its configuration only; prints the result if so.

    Call it after all settings have been read: an invalid one raises before.
    """
    if sys.argv[1:] != ["--check"]:
        return False
    sys.stdout.write(f"configuration version {env.config_version} is valid\n")
    return True


def serve_admin(telemetry: Telemetry, admin_app: Flask) -> Server:
    """Serves `admin_app` from a daemon thread, for a process whose main thread does something else.

    Raises LabError when the address is missing or in use.
    """
    address = telemetry.settings.admin_listen
    if address is None:
        raise LabError(f"{telemetry.settings.service} has no admin address; set {names.ENV_ADMIN_LISTEN}")
    server = Server(admin_app, address, ADMIN_THREADS)

    def serve() -> None:
        try:
            server.run()
        except Exception as problem:
            # Without metrics and controls a process is worse than one that restarts.
            telemetry.log.error("admin server failed", exc_info=problem)
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=serve, name="admin", daemon=True).start()
    return server


def program(main: Callable[[], None]) -> NoReturn:
    """Runs `main` and exits. A LabError is printed as one line on stderr and sets the exit status."""
    try:
        main()
    except LabError as problem:
        sys.stderr.write(f"{problem}\n")
        sys.exit(problem.exit_status)
    except KeyboardInterrupt:
        sys.exit(0)
    sys.exit(0)


def _export_queue(telemetry: Telemetry, server: Server) -> None:
    waiting = Gauge(names.HTTP_SERVER_WAITING, "Requests queued for a thread.", registry=telemetry.registry)
    waiting.set_function(lambda: server.waiting)
    threads = Gauge(names.HTTP_SERVER_THREADS, "Threads that serve requests.", ["state"], registry=telemetry.registry)
    threads.labels("busy").set_function(lambda: server.busy)
    threads.labels("all").set(telemetry.settings.threads)
