"""The budget ledger for people and for programs: the lines of its table, and its JSON."""

from __future__ import annotations

from fractions import Fraction

from lab.change.ledger import Ledger, whole
from lab.change.spending import Spending
from lab.clients.documents import Document
from lab.clients.times import utc_text
from lab.slo.model import Slo


class Charge(Document, frozen=True, kw_only=True):
    """What one incident, rollout or change spent; `since` is the start of the time in which it is charged (UTC)."""

    name: str
    kind: str
    since: str
    bad_events: float
    budget_ratio: float
    needs_postmortem: bool


class SloLedger(Document, frozen=True, kw_only=True):
    """What spent one SLO's budget until `at` (UTC), and the remaining ratio that Prometheus recorded then."""

    slo: str
    service: str
    at: str
    remaining_ratio: float
    allowed_bad_events: float
    entries: list[Charge]
    unattributed_bad_events: float
    unattributed_budget_ratio: float


class UnknownLedger(Document, frozen=True, kw_only=True):
    """An SLO of which Prometheus does not know the remaining budget."""

    slo: str
    service: str
    remaining_ratio: None = None


def document(slo: Slo, spent: Spending | None, bound: float) -> SloLedger | UnknownLedger:
    """One SLO's ledger as JSON; an incident that spent more than `bound` of the budget needs a postmortem."""
    if spent is None:
        return UnknownLedger(slo=slo.sloth_id, service=slo.service)
    found = spent.ledger
    return SloLedger(
        slo=slo.sloth_id,
        service=slo.service,
        at=utc_text(spent.at),
        remaining_ratio=spent.remaining_ratio,
        allowed_bad_events=float(found.allowed),
        entries=[
            Charge(
                name=entry.span.name,
                kind=str(entry.span.kind),
                since=utc_text(entry.span.start),
                bad_events=float(entry.bad),
                budget_ratio=float(entry.share),
                needs_postmortem=entry in found.above(bound),
            )
            for entry in found.entries
        ],
        unattributed_bad_events=float(found.unattributed),
        unattributed_budget_ratio=float(found.unattributed_share),
    )


HEAD = ("SLO", "SPENT BY", "KIND", "SINCE (UTC)", "BAD EVENTS", "OF THE BUDGET")
RIGHT = ("BAD EVENTS", "OF THE BUDGET")


def lines(slo: Slo, spent: Spending | None) -> list[tuple[str, ...]]:
    """One SLO's lines of the table: its entries, what is not attributed, and what is left of the budget."""
    if spent is None:
        return [(slo.sloth_id, "unknown", "-", "-", "-", "-")]
    found = spent.ledger
    charged = [(entry.span.name, str(entry.span.kind), utc_text(entry.span.start)[:19]) for entry in found.entries]
    names = [*charged, ("not attributed", "-", "-"), ("left", "-", "-")]
    counts = [*map(str, whole([*(entry.bad for entry in found.entries), found.unattributed])), "-"]
    rows = zip(names, counts, _percentages(found), strict=True)
    return [(slo.sloth_id, *name, count, share) for name, count, share in rows]


def _percentages(found: Ledger) -> list[str]:
    """The shares of the entries, of what is not attributed and of what is left: rounded, they sum to 100.0 %."""
    shares: list[Fraction] = [*(entry.share for entry in found.entries), found.unattributed_share, found.left_share]
    return [f"{tenths / 10:.1f}%" for tenths in whole([share * 1000 for share in shares])]
