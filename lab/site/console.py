"""The console process: `python -m lab.site.console`. Serves the built site, what is live, and the ack of a page.

GET  /                     the site
GET  /api/live             one picture of the lab (lab.site.live), JSON
GET  /api/events           the same once a second, server-sent events
POST /api/pages/ID/ack     {"by": name}; same origin only, passed to the pager
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

from flask import Blueprint, Flask, Response, jsonify, request

from lab import names
from lab.control.prometheus import Prometheus
from lab.errors import LabError, UsageError
from lab.oncall.client import Pager
from lab.places import RULES, SITE
from lab.site import pages
from lab.site.live import Watcher
from lab.site.promises import Promises
from lab.site.watch import charts
from lab.telemetry import metrics
from lab.telemetry.guard import host_allowed, json_body
from lab.telemetry.process import Telemetry, program, run
from lab.telemetry.settings import Environment, Settings, checked_url, read_token

THREADS = 24
STREAMS = 12  # each open tab holds one thread; the rest stay free for pages
STREAM_SECONDS = 600  # then the browser reconnects by itself
SOURCE_TIMEOUT_SECONDS = 2.0
# A page of another origin cannot send this header without asking first, and is refused when it asks.
HEADER_CONSOLE = "X-Fleetops-Console"


def api(watcher: Watcher, settings: Settings, draining: threading.Event, tick_seconds: float = 1.0) -> Blueprint:
    """The blueprint of /api."""
    blueprint = Blueprint("api", __name__, url_prefix="/api")
    streams = threading.BoundedSemaphore(STREAMS)

    @blueprint.before_request
    def own_host() -> tuple[Response, int] | None:
        if not host_allowed(request.headers.get("Host", ""), settings.allowed_hosts):
            return jsonify(error="this host name is not this machine; open the console at 127.0.0.1"), 403
        return None

    @blueprint.get("/live")
    def live() -> Response:
        response = jsonify(watcher.picture())
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.get("/events")
    def events() -> Response | tuple[Response, int]:
        if not streams.acquire(blocking=False):
            return jsonify(error=f"{STREAMS} consoles are open already; close one"), 503

        def stream() -> Iterator[str]:
            yield "retry: 2000\n\n"
            for _ in range(int(STREAM_SECONDS / tick_seconds)):
                yield f"data: {json.dumps(watcher.picture())}\n\n"
                if draining.wait(tick_seconds):
                    return

        response = Response(stream(), content_type="text/event-stream")
        response.headers["Cache-Control"] = "no-store"
        response.call_on_close(streams.release)
        return response

    @blueprint.post("/pages/<int:page_id>/ack")
    def ack(page_id: int) -> tuple[Response, int] | Response:
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() != request.host_url.rstrip("/").lower():
            return jsonify(error=f"origin {origin[:100]!r} may not use this API"), 403
        if request.headers.get(HEADER_CONSOLE) != "1":
            return jsonify(error=f"send {HEADER_CONSOLE}: 1"), 403
        by = json_body().get("by")
        if not isinstance(by, str):
            raise UsageError("'by' must say who takes the page")
        return jsonify(watcher.pager.ack(page_id, by))

    @blueprint.errorhandler(LabError)
    def refused(error: LabError) -> tuple[Response, int]:
        return jsonify(error=str(error)), 400 if isinstance(error, UsageError) else 502

    return blueprint


def create_app(folder: Path, watcher: Watcher, settings: Settings, draining: threading.Event) -> Flask:
    """The console as an app: `folder` is the built site."""
    app = Flask("console", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
    app.register_blueprint(api(watcher, settings, draining))
    app.register_blueprint(pages.blueprint(folder))
    return app


def main() -> None:
    """Serve until SIGTERM."""
    env = Environment()
    settings = Settings.read("console", environment=env, admin=False, threads=THREADS)
    token_file = env.text(names.ENV_TOKEN_FILE, "")
    prometheus_url = checked_url(
        env.text(names.ENV_PROMETHEUS_URL, example="http://127.0.0.1:8090"), names.ENV_PROMETHEUS_URL
    )
    pager_url = checked_url(env.text(names.ENV_PAGER_URL, example="http://127.0.0.1:8012"), names.ENV_PAGER_URL)
    promises = Promises(RULES)
    watcher = Watcher(
        Prometheus(prometheus_url, timeout_seconds=SOURCE_TIMEOUT_SECONDS),
        Pager(pager_url, read_token(Path(token_file)) if token_file else None, timeout_seconds=SOURCE_TIMEOUT_SECONDS),
        promises.slos, promises.lab, charts(promises.slos),
    )  # fmt: skip
    telemetry = Telemetry(settings, checks={"site": lambda: _built(SITE)})
    app = create_app(SITE, watcher, settings, telemetry.health.draining)
    telemetry.init_app(app)
    telemetry.health.init_app(app)
    metrics.expose(app, telemetry.registry)
    run(telemetry, app)


def _built(folder: Path) -> None:
    if not (folder / "index.html").exists():
        raise LabError(f"{folder} is not built; run 'make site'")


if __name__ == "__main__":
    program(main)
