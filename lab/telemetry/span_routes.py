"""The part of a process's admin API from which the collector fetches traces: those chosen, and their spans."""

from __future__ import annotations

import re

import msgspec
from flask import Flask, Response, request

from lab.errors import UsageError
from lab.telemetry.sampling import TailSampler
from lab.telemetry.settings import Settings
from lab.telemetry.spans import Ring, Span

MAX_IDS = 200
_TRACE_ID = re.compile(r"[0-9a-f]{32}")


class Process(msgspec.Struct, frozen=True):
    """A process and its spans of one trace."""

    service: str
    instance: str
    version: str
    spans: list[Span]


class Spans(msgspec.Struct, frozen=True):
    """The answer of GET /admin/spans: the process's spans by trace id, 32 hex digits."""

    traces: dict[str, Process]


class Choice(msgspec.Struct, frozen=True):
    """A trace to keep and why."""

    trace_id: str
    reason: str


class Choices(msgspec.Struct, frozen=True):
    """The answer of GET /admin/traces: the number of traces chosen so far, and those after the number asked for."""

    count: int
    chosen: list[Choice]


def expose(app: Flask, settings: Settings, ring: Ring, sampler: TailSampler | None) -> None:
    """Adds GET /admin/spans?ids=ID,… to `app`, and with a sampler GET /admin/traces?after=COUNT."""

    @app.get("/admin/spans")
    def spans() -> Response:
        found = ring.spans(_ids(request.args.get("ids", "")))
        identity = settings.service, settings.instance, settings.version
        return _json(Spans({f"{trace_id:032x}": Process(*identity, spans) for trace_id, spans in found.items()}))

    if sampler is not None:

        @app.get("/admin/traces")
        def traces() -> Response:
            count, chosen = sampler.chosen(_count(request.args.get("after", "0")))
            return _json(Choices(count, [Choice(f"{trace_id:032x}", reason) for trace_id, reason in chosen]))


def _json(answer: Spans | Choices) -> Response:
    return Response(msgspec.json.encode(answer), content_type="application/json")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise UsageError(f"after: {text!r:.50} is not a count, such as 0")
    return int(text)


def _ids(text: str) -> list[int]:
    ids = [one for one in text.split(",") if one]
    if len(ids) > MAX_IDS:
        raise UsageError(f"ids: {len(ids)} ids; at most {MAX_IDS} at a time")
    if wrong := next((one for one in ids if not _TRACE_ID.fullmatch(one)), None):
        raise UsageError(f"ids: {wrong!r:.50} is not a trace id; write 32 hex digits each, separated by commas")
    return [int(one, 16) for one in ids]
