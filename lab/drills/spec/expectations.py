"""The alerts that a drill must raise and those that it may raise; all others must stay silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lab.drills.schema.parameters import nearest
from lab.drills.spec import alerts
from lab.slo.model import PAGE, SEVERITIES, TICKET
from lab.slo.specs.document import Node

MAY = {"may_page": PAGE, "may_ticket": TICKET}
MUST = {"pages": PAGE, "tickets": TICKET}
KEYS = ("page", "ticket", *MUST, *MAY, "unmitigated")

Listed = Mapping[str, frozenset[str]]  # severity → names of alerts


@dataclass(frozen=True)
class Expect:
    """The alerts of a drill. `alert` (None in a control) detects the incident and is the one the responder gets."""

    alert: str | None = None
    severity: str = PAGE
    must: Listed = field(default_factory=dict)  # alerts that must fire as well
    may: Listed = field(default_factory=dict)  # alerts that may fire as well
    unmitigated: Listed = field(default_factory=dict)  # further alerts that may fire when nobody mitigates

    def allows(self, name: str, severity: str) -> bool:
        """Whether an alert may fire at that severity.

        Where an SLO may page, its ticket and BudgetExhausted may fire too: the same bad events spend the same budget.
        In an incident, the tickets about capacity may fire too: what slows requests down also fills threads and pools.
        """
        if (name, severity) == (self.alert, self.severity):
            return True
        listed = self._listed(severity)
        if severity == TICKET:
            pages = self._listed(PAGE) | ({self.alert} if self.severity == PAGE and self.alert else set())
            listed |= pages | (alerts.OF_BUDGETS if pages & alerts.of_slos() else set())
            listed |= alerts.of_capacity() if self.alert else set()
        return name in listed

    def required(self) -> set[tuple[str, str]]:
        """(name, severity) of the alerts that must fire besides the detecting one."""
        return {(name, severity) for severity, listed in self.must.items() for name in listed}

    def raised(self) -> set[str]:
        """The names of all alerts that must fire, including the detecting one."""
        return {name for name, _ in self.required()} | ({self.alert} if self.alert else set())

    def silent(self) -> tuple[str, ...]:
        """The names of the alerts that must not fire at any severity."""
        return tuple(name for name in alerts.names() if not any(self.allows(name, severity) for severity in SEVERITIES))

    def allowing(self, *more: Listed) -> Expect:
        """A copy in which the alerts that `more` lists may fire as well."""
        lists = (self.may, *more)
        may = {severity: frozenset().union(*(listed.get(severity, ()) for listed in lists)) for severity in SEVERITIES}
        return replace(self, may=may)

    def _listed(self, severity: str) -> set[str]:
        return set(self.must.get(severity, ())) | set(self.may.get(severity, ()))


def read(node: Node) -> Expect:
    """Read `expect`.

    `page` or `ticket`: the alert that detects; `pages`, `tickets`: alerts that must fire too; `may_page`, `may_ticket`:
    alerts that may. `unmitigated` has its own `may_page` and `may_ticket`. All are empty in a control. Raises SpecError
    for an alert that no rule raises at that severity.
    """
    keys = node.mapping(*KEYS)
    if "page" in keys and "ticket" in keys:
        raise keys["ticket"].refuse("one alert detects the incident: a page or a ticket, not both")
    detects = next((name for name in ("page", "ticket") if name in keys), None)
    if detects is None and keys:
        raise node.refuse("nothing detects the incident: page or ticket is missing")
    return Expect(
        alert=_alert(keys[detects], detects) if detects else None,
        severity=detects or PAGE,
        must=_lists(keys, MUST),
        may=read_may(keys),
        unmitigated=read_may(keys["unmitigated"].mapping(*MAY)) if "unmitigated" in keys else {},
    )


def read_may(keys: dict[str, Node]) -> Listed:
    """The alerts of the keys `may_page` and `may_ticket`, by severity."""
    return _lists(keys, MAY)


def _lists(keys: dict[str, Node], names: dict[str, str]) -> Listed:
    return {
        severity: frozenset(_alert(item, severity) for item in keys[name].items())
        for name, severity in names.items()
        if name in keys
    }


def _alert(node: Node, severity: str) -> str:
    name = node.text()
    if alerts.find(name, severity) is None:
        known = alerts.names(severity)
        raise node.refuse(f"no {severity} {name!r}{nearest(name, known)}; the {severity}s are {', '.join(known)}")
    return name
