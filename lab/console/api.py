"""The console's API below /api. All but /source.json needs the console's key or the control token (lab.console.access).

GET  /source.json          {"live": true, "key": whether the caller has access}; a published copy of the site serves a
                           file instead: {"live": false}
GET  /live                 a snapshot of the lab (lab.console.snapshot), JSON
GET  /events               a snapshot every second, server-sent events
GET  /query?query=         the result of a PromQL query now and over the last minutes
GET  /tokens?query=        a PromQL query as tokens for highlighting
GET  /requests             the last requests at the gateway
GET  /logs?trace_id=       the log lines of one request
GET  /trace?trace_id=      the waterfall of one request as HTML, if its trace is kept
POST /pages/ID/ack         {"by": name}: acknowledges a page
POST /run                  {"command": "fleetops ...", "by": name}: runs a runbook command or an allowed verb
POST /drills               {"id": drill, "responder": responder, "by": name}: starts a drill
POST /drills/stop          {"by": name}: stops the running drill, or undoes what a killed one left
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import msgspec
from flask import Blueprint, Response, jsonify, request
from msgspec.structs import asdict
from werkzeug.wrappers import Response as AnyResponse

from lab.console import queries
from lab.console.access import Access
from lab.console.actions import ConsoleActions, person
from lab.console.documents import AcknowledgedPage, LiveConsole
from lab.console.snapshot import Watcher
from lab.console.streams import Streams
from lab.errors import LabError, UsageError
from lab.telemetry.body import json_body, only_keys

STREAM_SECONDS = 600  # then the browser reconnects by itself
WITHOUT_KEY = frozenset({"api.source"})

Answer = Response | tuple[Response, int]


def api(
    watcher: Watcher, actions: ConsoleActions, access: Access, draining: threading.Event, tick_seconds: float = 1.0
) -> Blueprint:
    """The blueprint of /api. Event streams send a snapshot every `tick_seconds` and end when `draining` is set."""
    blueprint = Blueprint("api", __name__, url_prefix="/api")
    streams = Streams()

    @blueprint.before_request
    def guard() -> AnyResponse | None:
        return access.refusal(without_key=request.endpoint in WITHOUT_KEY)

    @blueprint.after_request
    def fresh(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    @blueprint.get("/source.json")
    def source() -> Answer:
        return jsonify(live=True, key=access.client() is not None)

    @blueprint.get("/live")
    def live() -> Answer:
        return _json(console())

    def console() -> LiveConsole:
        return LiveConsole(**asdict(watcher.snapshot()), actions=actions.state())

    @blueprint.get("/events")
    def events() -> Answer:
        client = str(access.client())
        if refusal := streams.open(client):
            return jsonify(error=refusal), 503

        def stream() -> Iterator[str]:
            yield "retry: 2000\n\n"
            for _ in range(int(STREAM_SECONDS / tick_seconds)):
                yield f"data: {msgspec.json.encode(console()).decode()}\n\n"
                if draining.wait(tick_seconds):
                    return

        response = Response(stream(), content_type="text/event-stream")
        response.call_on_close(lambda: streams.close(client))
        return response

    @blueprint.get("/query")
    def query() -> Answer:
        return _json(queries.query(watcher.prometheus, request.args.get("query", "")))

    @blueprint.get("/tokens")
    def tokens() -> Answer:
        return jsonify(tokens=queries.highlighted(request.args.get("query", "")))

    @blueprint.get("/requests")
    def requests() -> Answer:
        return _json({"requests": queries.requests(actions.home)})

    @blueprint.get("/logs")
    def logs() -> Answer:
        return jsonify(lines=queries.lines(actions.home, request.args.get("trace_id", "")))

    @blueprint.get("/trace")
    def trace() -> Answer:
        return jsonify(waterfall=queries.waterfall(actions.home, request.args.get("trace_id", "")))

    @blueprint.post("/pages/<id:page_id>/ack")
    def ack(page_id: int) -> Answer:
        page, acked = watcher.pager.ack(page_id, person(json_body().get("by")))
        return _json(AcknowledgedPage(**asdict(page), acked_by_this_call=acked))

    @blueprint.post("/run")
    def run() -> Answer:
        body = json_body()
        only_keys(body, "command", "by")
        return _json(actions.run(body.get("command", ""), body.get("by", "")))

    @blueprint.post("/drills")
    def drills() -> Answer:
        body = json_body()
        only_keys(body, "id", "responder", "by")
        actions.start_drill(body.get("id", ""), body.get("responder", ""), body.get("by", ""))
        return jsonify(started=body["id"]), 202

    @blueprint.post("/drills/stop")
    def stop() -> Answer:
        body = json_body()
        only_keys(body, "by")
        return _json(actions.stop_drill(body["by"]))

    @blueprint.errorhandler(LabError)
    def refused(error: LabError) -> Answer:
        return jsonify(error=str(error)), 400 if isinstance(error, UsageError) else 502

    return blueprint


def _json(document: object) -> Response:
    return Response(msgspec.json.encode(document), content_type="application/json")
