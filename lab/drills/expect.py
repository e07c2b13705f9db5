"""Which alerts a drill must raise, which it may, and that all others must stay silent."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.drills import alerts
from lab.drills.faults.parameters import nearest
from lab.slo.document import Node
from lab.slo.model import PAGE, SEVERITIES, TICKET

KEYS = ("page", "ticket", "pages", "tickets", "may_page", "may_ticket")


@dataclass(frozen=True)
class Expect:
    """`alert` (None in a control) is the one that detects the incident and that the responder is given."""

    alert: str | None = None
    severity: str = PAGE
    must: dict[str, frozenset[str]] = field(default_factory=dict)  # severity → names that must fire as well
    may: dict[str, frozenset[str]] = field(default_factory=dict)  # severity → names that may fire beside

    def allows(self, name: str, severity: str) -> bool:
        """Whether an alert may fire at that severity.

        Who may be paged about an SLO may have its ticket as well: the same bad events spend the same budget.
        """
        if (name, severity) == (self.alert, self.severity):
            return True
        listed = self._listed(severity)
        if severity == TICKET:
            listed |= self._listed(PAGE) | ({self.alert} if self.severity == PAGE and self.alert else set())
        return name in listed

    def required(self) -> set[tuple[str, str]]:
        """(name, severity) of what must fire beside the detecting alert."""
        return {(name, severity) for severity, listed in self.must.items() for name in listed}

    def raised(self) -> set[str]:
        """The names of all alerts that must fire, the detecting one with them."""
        return {name for name, _ in self.required()} | ({self.alert} if self.alert else set())

    def silent(self) -> tuple[str, ...]:
        """The names of the alerts that may not fire at any severity."""
        return tuple(name for name in alerts.names() if not any(self.allows(name, severity) for severity in SEVERITIES))

    def _listed(self, severity: str) -> set[str]:
        return set(self.must.get(severity, ())) | set(self.may.get(severity, ()))


def read(node: Node) -> Expect:
    """`page` or `ticket`: what detects; `pages`, `tickets`: what must fire too; `may_page`, `may_ticket`: what may.

    All empty in a control. SpecError for an alert that no rule raises at that severity.
    """
    keys = node.mapping(*KEYS)
    if "page" in keys and "ticket" in keys:
        raise keys["ticket"].refuse("one alert detects the incident: a page or a ticket, not both")
    detects = next((name for name in ("page", "ticket") if name in keys), None)
    if detects is None and keys:
        raise node.refuse("nothing detects the incident: page or ticket is missing")
    lists = {
        name: frozenset(_alert(item, severity) for item in keys[name].items()) if name in keys else frozenset()
        for name, severity in (("pages", PAGE), ("tickets", TICKET), ("may_page", PAGE), ("may_ticket", TICKET))
    }
    return Expect(
        alert=_alert(keys[detects], detects) if detects else None,
        severity=detects or PAGE,
        must={PAGE: lists["pages"], TICKET: lists["tickets"]},
        may={PAGE: lists["may_page"], TICKET: lists["may_ticket"]},
    )


def _alert(node: Node, severity: str) -> str:
    name = node.text()
    if alerts.find(name, severity) is None:
        known = alerts.names(severity)
        raise node.refuse(f"no {severity} {name!r}{nearest(name, known)}; the {severity}s are {', '.join(known)}")
    return name
