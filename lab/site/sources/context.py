"""Everything a page can ask for: the folders it is made from, and which page is asking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lab import paths
from lab.drills.spec import drill
from lab.drills.spec.drill import Drill
from lab.errors import LabError
from lab.site.render import links
from lab.site.sources import metrics
from lab.site.sources.metrics import Metric
from lab.site.sources.records import Records
from lab.site.sources.rule_files import RuleFiles
from lab.slo.catalogue import Catalogue
from lab.slo.check import rule_drift

POSTMORTEMS = "06_postmortems"
RUNBOOKS = "03_runbooks.md"
SIMULATIONS = "05_incident_simulations.md"
SLOS = "02_slos_and_alerts.md"
CHANGES = "08_change_management.md"
RISKS = "09_risk_register.md"


def _first_page() -> str:
    return "index.md"


@dataclass(frozen=True)
class Book:
    """The sources of the site. `page` gives the docs file that is being rendered."""

    docs: Path = paths.DOCS
    rules: Path = paths.RULES
    drills: Path = paths.DRILLS
    page: Callable[[], str] = _first_page

    def href(self, target: str) -> str:
        """The address of a docs file (or an asset below docs/) from the page being rendered."""
        return links.between(self.page(), target)

    @cached_property
    def slos(self) -> Catalogue:
        """SLO specs and window profiles."""
        return Catalogue(self.rules)

    @cached_property
    def rule_files(self) -> RuleFiles:
        """Generated and hand-written rules; LabError when a generated file is not what its spec gives."""
        for drifted in rule_drift():
            raise LabError(drifted)
        return RuleFiles(self.rules)

    @cached_property
    def records(self) -> Records:
        """The committed evidence."""
        return Records(self.docs / "records")

    @cached_property
    def catalogue(self) -> tuple[Drill, ...]:
        """Every drill, the control last: a hundred macros ask for them, and they are read once a build."""
        return tuple(drill.catalogue(self.drills))

    def drill(self, ident: str) -> Drill:
        """The drill with that id; LabError names those there are."""
        for known in self.catalogue:
            if known.id == ident:
                return known
        raise LabError(f"no drill {ident!r} in the catalogue; it has {', '.join(d.id for d in self.catalogue)}")

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """Every metric our own processes register, by name; it takes parsing the whole package, so once a build."""
        return tuple(metrics.metrics(paths.ROOT / "lab"))

    @property
    def factor(self) -> int:
        """How many times faster than production the lab runs."""
        return self.slos.lab.time_factor

    def runbook(self, alert: str) -> str:
        """The address of an alert's section, as its `runbook_url` annotation names it."""
        return self.href(f"{RUNBOOKS}#{alert.lower()}")

    def postmortem(self, incident: str) -> str | None:
        """The docs file of an incident's postmortem, or None."""
        found = sorted((self.docs / POSTMORTEMS).glob(f"{incident}_*.md"))
        return f"{POSTMORTEMS}/{found[0].name}" if found else None
