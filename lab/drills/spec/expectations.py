"""Which alerts a drill must raise, which it may, and that all others must stay silent."""

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
    """`alert` (None in a control) is the one that detects the incident and that the responder is given."""

    alert: str | None = None
    severity: str = PAGE
    must: Listed = field(default_factory=dict)  # what must fire as well
    may: Listed = field(default_factory=dict)  # what may fire beside
    unmitigated: Listed = field(default_factory=dict)  # what else comes of the fault when nobody mends it

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

    def allowing(self, *more: Listed) -> Expect:
        """The same, and what `more` lists may fire beside."""
        lists = (self.may, *more)
        return replace(
            self, may={name: frozenset().union(*(one.get(name, ()) for one in lists)) for name in SEVERITIES}
        )

    def _listed(self, severity: str) -> set[str]:
        return set(self.must.get(severity, ())) | set(self.may.get(severity, ()))


def read(node: Node) -> Expect:
    """`page` or `ticket`: what detects; `pages`, `tickets`: what must fire too; `may_page`, `may_ticket`: what may.

    `unmitigated` has a `may_page` and a `may_ticket` of its own. All empty in a control. SpecError for an alert that no
    rule raises at that severity.
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
    """The alerts of the keys `may_page` and `may_ticket`, of those that are there."""
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
