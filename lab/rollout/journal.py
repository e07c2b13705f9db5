"""The journal of a rollout: what it wants, written before anything is changed, so that any process can continue it.

The journal says the weight and the versions that there should be; the controller makes them so. There is no other
state: the verdict is computed again from Prometheus's counters since the step began.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from lab.atomic_write import write_json
from lab.clients import documents
from lab.clients.documents import Document, as_builtins
from lab.errors import UsageError
from lab.file_lock import LockHeld, held
from lab.paths import Home
from lab.rollout.policy import Policy

# stepping: at a step of the ladder. held: waits for a person. promoting and aborting lead to the last two.
Phase = Literal["stepping", "held", "promoting", "aborting", "promoted", "aborted"]
FINAL = ("promoted", "aborted")


class Event(Document, frozen=True, kw_only=True):
    """One change of the journal: what was decided, by whom and why, and the weight that follows from it."""

    at: str
    phase: Phase
    step: int
    weight_percent: float
    by: str
    reason: str


class Rollout(Document, frozen=True, kw_only=True):
    """One rollout of `version` of `service`, in the place of `previous`.

    `stable_config` and `canary_config` are the configuration versions to go back to, and `restarts` the canary's
    restarts until the start. `step` is an index of the policy's ladder; `attempt` counts how often counting began in
    it, and `since` is when it last did (UTC), "" until the step's weight is in effect. `frozen` is why nothing can be
    decided now, "" when something can; `frozen_seconds` do not count towards the step's deadline. `applied_percent` is
    the weight last seen in effect: another one is somebody's change.
    """

    id: str
    service: str
    version: str
    previous: str
    stable_config: int
    canary_config: int
    restarts: int
    salt: str
    policy: Policy
    phase: Phase
    step: Annotated[int, Meta(ge=0)] = 0
    attempt: Annotated[int, Meta(ge=0)] = 0
    since: str = ""
    frozen: str = ""
    frozen_seconds: float = 0.0
    applied_percent: float = 0.0
    by: str
    reason: str
    events: list[Event] = msgspec.field(default_factory=list)

    @property
    def step_key(self) -> str:
        """The name under which the gateway counts for the current step."""
        return f"{self.id}/{self.step + 1}.{self.attempt}"

    @property
    def wanted_percent(self) -> float:
        """The weight that the canary should have now."""
        if self.phase in ("aborting", "aborted", "promoted"):
            return 0.0
        return self.policy.steps_percent[self.step]

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return self.phase in FINAL


def file_of(home: Home) -> Path:
    """The journal of the current or the last rollout."""
    return home.data / "rollout.json"


def load(home: Home) -> Rollout | None:
    """The current or the last rollout; None before the first. Raises LabError, with the key, for a damaged journal."""
    return documents.load(file_of(home), Rollout, "set the weight with `fleetops canary weight 0`")


def save(home: Home, rollout: Rollout) -> None:
    """Write the journal; it is durable when this returns."""
    write_json(file_of(home), as_builtins(rollout))


def require_none(home: Home, hint: str) -> None:
    """Raise UsageError, with `hint`, while a rollout is under way."""
    rollout = load(home)
    if rollout is not None and not rollout.is_over:
        raise UsageError(f"the rollout of {rollout.service} {rollout.version} is {rollout.phase}; {hint}")


@contextmanager
def locked(home: Home) -> Iterator[None]:
    """Exclude other writers of the journal for the length of the body."""
    with _lock(home.run / "rollout.lock"):
        yield


@contextmanager
def controlling(home: Home) -> Iterator[None]:
    """Be the one controller of rollouts. Raises UsageError when there is one already."""
    busy = "a rollout controller is running already; `fleetops rollout status` shows it"
    with _lock(home.run / "rollout.controller", busy):
        yield


@contextmanager
def pushing(home: Home) -> Iterator[None]:
    """Be the one staged configuration push, and no rollout begins. Raises UsageError while there is another push."""
    with _lock(home.run / "config.push", "a configuration push is under way; wait for its end"):
        yield


def is_controlled(home: Home) -> bool:
    """Whether a controller runs."""
    try:
        with controlling(home):
            return False
    except UsageError:
        return True


@contextmanager
def _lock(file: Path, busy: str = "") -> Iterator[None]:
    """Hold a lock file for the length of the body; wait for it, or raise UsageError with `busy` if that is given."""
    try:
        with held(file, wait=not busy):
            yield
    except LockHeld:
        raise UsageError(busy) from None
