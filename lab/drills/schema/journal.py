"""The journal of a drill as frozen types: the state that its undo must restore, its process and its expiry."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

Captured = dict[str, Any]  # the state that a fault captured before its injection: JSON that its own `undo` reads
Settings = dict[str, Any]  # one part of the gateway's state, restored as a whole


class ControlState(msgspec.Struct, frozen=True, kw_only=True):
    """The control state before a drill. Parts that an older journal lacks are not restored."""

    canary_weight_percent: float
    flags: dict[str, bool]
    replicas: dict[str, int]  # by service
    parts: dict[str, Settings] = {}  # of the gateway's state, by the part's address
    drained: list[str] | None = None
    frozen: list[str] | None = None
    configs: dict[str, int] = {}  # version by service


class JournalledFault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault, as `lab.drills.faults.of_json` reads it, and the state that it captured."""

    fault: dict[str, Any]
    found: Captured


class ToUndo(msgspec.Struct, frozen=True, kw_only=True):
    """The state to restore. A blind journal holds it packed, so that it does not reveal the fault at a glance."""

    state: ControlState
    faults: list[JournalledFault] = []


class Journal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The journal file: either `packed`, or `state` and `faults`. Timestamps are UTC strings."""

    drill: str
    pid: Annotated[int, Meta(ge=1)]
    at: str
    blind: bool = False
    expires_at: str | None = None
    packed: str | None = None
    state: ControlState | None = None
    faults: list[JournalledFault] = []
