"""What Prometheus is told to scrape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lab.drills.faults.base import Fault
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import choice
from lab.paths import home, ports
from lab.stack import replicas
from lab.stack.backends import monitoring


def job_names() -> list[str]:
    """Every job Prometheus scrapes."""
    table = replicas.known(home(), ports()).values()
    return list(dict.fromkeys(program.job for program in table if program.job))


@dataclass(frozen=True)
class ScrapeTargetsLost(Fault):
    """Service discovery hands Prometheus an empty list for a job: nothing is down, and nothing is watched."""

    kind: ClassVar[str] = "scrape-targets-lost"
    job: str = choice(job_names, "The job whose targets are gone.")

    def inject(self, context: FaultContext) -> None:
        """Empty its list; Prometheus notices by itself."""
        monitoring.write_targets(context.home, (), [self.job])

    def undo(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        """Write the list anew, unless somebody has."""
        if monitoring.targets(context.home, self.job):
            return []
        expected = replicas.expected(context.home, context.ports)
        monitoring.write_targets(context.home, (program for program in expected if program.job == self.job))
        return [f"{self.job} is scraped again"]
