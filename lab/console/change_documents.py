"""What a snapshot says of changes: the error-budget policy's state, and the rollout."""

from __future__ import annotations

from collections.abc import Sequence

from lab.clients.documents import Document
from lab.rollout.progress import Progress


class GateState(Document, frozen=True, kw_only=True):
    """What the error-budget policy says of one service: its state, the changes that it refuses, and why.

    `overrides` are its last overrides, each as a sentence, expired ones too.
    """

    service: str
    state: str
    refuses: Sequence[str]
    reason: str
    overrides: Sequence[str]


class RolloutState(Document, frozen=True, kw_only=True):
    """The current or the last rollout; `step` counts from 1. `frozen`: why nothing can be decided now, or ""."""

    service: str
    previous: str
    version: str
    phase: str
    step: int
    steps: int
    weight_percent: float
    reason: str
    frozen: str
    progress: Progress | None


class ChangeState(Document, frozen=True, kw_only=True):
    """What may be changed now, and what is being rolled out. `problem`: which file cannot be read, or ""."""

    gates: Sequence[GateState] = ()
    rollout: RolloutState | None = None
    problem: str = ""
