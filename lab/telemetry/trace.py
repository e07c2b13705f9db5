"""W3C trace context: extracted from the incoming request, kept in context variables, injected into outgoing calls.

Each hop keeps the caller's trace id and creates its own span id. Only ids are handled here, through OpenTelemetry's
API; spans.py records what the ids belong to.
"""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar, Token
from typing import NamedTuple

from opentelemetry import context as otel_context
from opentelemetry import trace as otel_trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from lab.names import HEADER_REQUEST_ID

_PROPAGATOR = TraceContextTextMapPropagator()
_REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
_VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Ids must differ between forked or restarted processes; they need not be secret.
_RANDOM = random.SystemRandom()


class Entered(NamedTuple):
    """The tokens with which `leave` undoes `enter`, the new span, and the caller's span id (0 without a caller)."""

    context: Token[otel_context.Context]
    request_id: Token[str]
    span: SpanContext
    parent_id: int


def enter(headers: Mapping[str, str], *, sampled: bool | None = None) -> Entered:
    """Continues the trace and request id in `headers` (lower-case names), or starts new ones.

    `sampled` sets the sampled flag; None keeps the caller's.
    """
    parent = _PROPAGATOR.extract(headers, context=otel_context.Context())
    caller = otel_trace.get_current_span(parent).get_span_context()
    span = _own_span(caller, sampled)
    received = headers.get(HEADER_REQUEST_ID.lower(), "")
    request_id = received if _VALID_REQUEST_ID.fullmatch(received) else uuid.uuid4().hex
    context = otel_trace.set_span_in_context(NonRecordingSpan(span), parent)
    return Entered(otel_context.attach(context), _REQUEST_ID.set(request_id), span, caller.span_id)


def leave(entered: Entered) -> None:
    """Restores the context from before `enter`."""
    otel_context.detach(entered.context)
    _REQUEST_ID.reset(entered.request_id)


def inject(headers: MutableMapping[str, str]) -> None:
    """Adds traceparent, tracestate and the request id of the current request to the headers of an outgoing call."""
    _PROPAGATOR.inject(headers)
    if request_id := _REQUEST_ID.get():
        headers[HEADER_REQUEST_ID] = request_id


def traceparent(span_id: int) -> str:
    """The traceparent header of a call whose client span has this id; "" outside a request."""
    span = otel_trace.get_current_span().get_span_context()
    return f"00-{span.trace_id:032x}-{span_id:016x}-{span.trace_flags:02x}" if span.is_valid else ""


def trace_id() -> str:
    """The current trace id as 32 hex digits; "" outside a request."""
    span = otel_trace.get_current_span().get_span_context()
    return format(span.trace_id, "032x") if span.is_valid else ""


def request_id() -> str:
    """The current request id; "" outside a request."""
    return _REQUEST_ID.get()


def log_fields() -> dict[str, str]:
    """trace_id, span_id and request_id for a log line; {} outside a request."""
    span = otel_trace.get_current_span().get_span_context()
    if not span.is_valid:
        return {}
    return {
        "trace_id": format(span.trace_id, "032x"),
        "span_id": format(span.span_id, "016x"),
        "request_id": _REQUEST_ID.get(),
    }


def new_traceparent() -> str:
    """The traceparent header of a new sampled trace, for a client that starts one."""
    return f"00-{_RANDOM.getrandbits(128) or 1:032x}-{_RANDOM.getrandbits(64) or 1:016x}-01"


def _own_span(parent: SpanContext, sampled: bool | None) -> SpanContext:
    flags = parent.trace_flags if parent.is_valid else TraceFlags(TraceFlags.SAMPLED)
    if sampled is not None:
        flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return SpanContext(
        trace_id=parent.trace_id if parent.is_valid else _RANDOM.getrandbits(128) or 1,
        span_id=_RANDOM.getrandbits(64) or 1,
        is_remote=False,
        trace_flags=flags,
        trace_state=parent.trace_state if parent.is_valid else None,
    )
