"""The documents that the pager serves and stores: pages and audit rows, as frozen types validated once, on receipt."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import msgspec

from lab.errors import LabError

T = TypeVar("T")
Outcome = Literal["pending", "done", "failed"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON object with known keys. Timestamps are UTC strings (RFC 3339, milliseconds, a trailing Z)."""


class Page(Document, frozen=True, kw_only=True):
    """One alert as the pager delivered it: a page or a ticket, by its severity.

    `labels`, `annotations` and the fields read from them are those of the first notification; `status`, `resolved_at`,
    acknowledgement and escalation are current. `received_at` is when the pager stored it.
    """

    id: int
    fingerprint: str
    status: str  # firing, resolved
    alertname: str
    severity: str
    service: str
    slo: str
    summary: str
    description: str
    runbook_url: str
    dashboard_url: str
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: str
    received_at: str
    resolved_at: str | None
    acked_at: str | None
    acked_by: str | None
    escalated_at: str | None = None
    escalated_to: str | None = None

    @property
    def resolved(self) -> bool:
        """Whether its alert has resolved."""
        return self.status == "resolved"


class AuditRow(Document, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One control action: the intent (`pending`), then its outcome, under one `id`. `old`, `new`: any JSON value."""

    id: str
    at: str
    actor: str
    action: str
    target: str
    old: Any
    new: Any
    outcome: Outcome
    reason: str


def convert(value: Any, kind: type[T], what: str) -> T:
    """Decoded JSON as an instance of `kind`. Raises LabError, naming the source (`what`) and the invalid key."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise LabError(f"{what}: {error}") from error


def load(path: Path, kind: type[T], lost: str) -> T | None:
    """The document in a file; None when there is none. Raises LabError, with the key, for a file that is damaged.

    `lost` says in that error what to do, and what is lost by it.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LabError(f"{path} cannot be read ({error.strerror})") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise LabError(f"{path} is damaged ({error}); {lost}") from error


def as_builtins(document: Any) -> Any:
    """A document, or a list of documents, as plain JSON values: dict, list, str, int, float, bool, None."""
    return msgspec.json.decode(msgspec.json.encode(document))
