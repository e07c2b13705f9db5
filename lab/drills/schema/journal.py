"""The journal of a drill as frozen types: what must be put back, by whom, and until when."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

Captured = dict[str, Any]  # what a fault found before it was injected: JSON that its own `undo` reads
Settings = dict[str, Any]  # one part of the gateway's state, put back whole


class ControlState(msgspec.Struct, frozen=True, kw_only=True):
    """What the verbs can change, as a drill found it. Keys that an older journal lacks are left alone by the undo."""

    canary_weight_percent: float
    flags: dict[str, bool]
    replicas: dict[str, int]  # by service
    parts: dict[str, Settings] = {}  # of the gateway's state, by the part's address
    drained: list[str] | None = None
    frozen: list[str] | None = None
    configs: dict[str, int] = {}  # version by service


class JournalledFault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault, as `lab.drills.faults.of_json` reads it, and what it found."""

    fault: dict[str, Any]
    found: Captured


class ToUndo(msgspec.Struct, frozen=True, kw_only=True):
    """What is put back. A blind journal holds it packed, so that nobody reads off what is broken."""

    state: ControlState
    faults: list[JournalledFault] = []


class Journal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The journal as it lies on the disk: either `packed` or `state` and `faults`. Instants are UTC strings."""

    drill: str
    pid: Annotated[int, Meta(ge=1)]
    at: str
    blind: bool = False
    expires_at: str | None = None
    packed: str | None = None
    state: ControlState | None = None
    faults: list[JournalledFault] = []
