"""The site context: the sources that every view reads, and the page that is being rendered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lab import paths
from lab.capacity import figures
from lab.capacity.policy import read_policy
from lab.drills.spec.drill import Drill, catalogue
from lab.errors import LabError
from lab.site.render import links
from lab.site.sources import metrics
from lab.site.sources.capacity import MeasuredCapacity
from lab.site.sources.change_records import ChangeRecords
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
class SiteContext:
    """The sources of the site, each read once per build. `page` returns the docs file that is being rendered."""

    docs: Path = paths.DOCS
    rules: Path = paths.RULES
    drills: Path = paths.DRILLS
    page: Callable[[], str] = _first_page

    def href(self, target: str) -> str:
        """The relative address of a docs file, or of an asset below docs/, from the page being rendered."""
        return links.between(self.page(), target)

    @cached_property
    def slos(self) -> Catalogue:
        """SLO specs and window profiles. Raises SpecError for a spec that cannot be read."""
        return Catalogue(self.rules)

    @cached_property
    def rule_files(self) -> RuleFiles:
        """Generated and hand-written rules. Raises LabError when a generated file differs from its spec."""
        for drifted in rule_drift():
            raise LabError(drifted)
        return RuleFiles(self.rules)

    @cached_property
    def records(self) -> Records:
        """The committed incident records."""
        return Records(self.docs / "records")

    @cached_property
    def rollouts(self) -> ChangeRecords:
        """The committed records of changes."""
        return ChangeRecords(self.docs / "rollouts", self.rules / "policy")

    @cached_property
    def capacity(self) -> MeasuredCapacity:
        """The measured capacity. Raises LabError when no sweep is stored."""
        stored = figures.read(self.docs / "figures" / "capacity.json")
        return MeasuredCapacity(stored, read_policy(self.rules / "policy" / "capacity.yml"))

    @cached_property
    def catalogue(self) -> tuple[Drill, ...]:
        """Every drill, the control last."""
        return tuple(catalogue(self.drills))

    def drill(self, ident: str) -> Drill:
        """The drill with that id. Raises LabError that lists the known ids."""
        for drill in self.catalogue:
            if drill.id == ident:
                return drill
        raise LabError(f"no drill {ident!r} in the catalogue; it has {', '.join(d.id for d in self.catalogue)}")

    @cached_property
    def metrics(self) -> tuple[Metric, ...]:
        """Every metric that the lab's processes register, by name. Parses the whole package."""
        return tuple(metrics.metrics(paths.ROOT / "lab"))

    @property
    def factor(self) -> int:
        """How many times shorter the lab's windows are than production's: 60."""
        return self.slos.lab.time_factor

    def runbook(self, alert: str) -> str:
        """The relative address of an alert's runbook section, the one that its `runbook_url` leads to."""
        return self.href(f"{RUNBOOKS}#{alert.lower()}")

    def postmortem(self, incident: str) -> str | None:
        """The docs file of an incident's postmortem, or None without one."""
        files = sorted((self.docs / POSTMORTEMS).glob(f"{incident}_*.md"))
        return f"{POSTMORTEMS}/{files[0].name}" if files else None
