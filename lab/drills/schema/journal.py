"""The journal of a drill as frozen types: the state that its undo must restore, its process and its expiry."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, field

from lab.clients.documents import Document
from lab.clients.gateway import PartSettings

Captured = dict[str, Any]  # the state that a fault captured before its injection: JSON that its own `undo` reads
FaultJson = dict[str, Any]  # kind and parameters of one fault


class ControlState(Document, frozen=True, kw_only=True):
    """The control state before a drill. Parts that an older journal lacks are not restored."""

    canary_weight_percent: float
    flags: dict[str, bool]
    replicas: dict[str, int]  # by service
    parts: dict[str, PartSettings] = field(default_factory=dict)  # restored as a whole, by the part's address
    drained: list[str] | None = None
    frozen: list[str] | None = None
    configs: dict[str, int] = field(default_factory=dict)  # version by service
    traffic_rate: float | None = None  # arrivals a second; None: the load generator did not answer


class JournalledFault(Document, frozen=True, kw_only=True):
    """One fault, as `lab.drills.faults.of_json` reads it, and the state that it captured."""

    fault: FaultJson
    found: Captured


class ToUndo(Document, frozen=True, kw_only=True):
    """The state to restore. A blind journal holds it packed, so that it does not reveal the fault at a glance."""

    state: ControlState
    faults: list[JournalledFault] = field(default_factory=list)


class Journal(Document, frozen=True, kw_only=True, omit_defaults=True):
    """The journal file: either `packed`, or `state` and `faults`. Timestamps are UTC strings."""

    drill: str
    pid: Annotated[int, Meta(ge=1)]
    at: str
    blind: bool = False
    expires_at: str | None = None
    packed: str | None = None
    state: ControlState | None = None
    faults: list[JournalledFault] = field(default_factory=list)
