"""Service discovery for Prometheus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.drills.faults.base import Captured, Fault
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import choice
from lab.paths import home, ports
from lab.stack import replicas
from lab.stack.backends import monitoring


def job_names() -> list[str]:
    """The names of the jobs that Prometheus scrapes."""
    table = replicas.known(home(), ports()).values()
    return list(dict.fromkeys(program.job for program in table if program.job))


@dataclass(frozen=True)
class ScrapeTargetsLost(Fault):
    """Service discovery returns no targets for a job: nothing is down, and nothing is monitored."""

    kind: ClassVar[str] = "scrape-targets-lost"
    job: str = choice(job_names, "The job that loses its targets.")

    def inject(self, context: FaultContext) -> None:
        """Empty the job's target list, which Prometheus reloads by itself."""
        monitoring.write_targets(context.home, (), [self.job])

    def undo(self, context: FaultContext, captured: Captured) -> list[str]:
        """Rewrite the target list, unless a responder has done so."""
        if monitoring.targets(context.home, self.job):
            return []
        expected = replicas.expected(context.home, context.ports)
        monitoring.write_targets(context.home, (program for program in expected if program.job == self.job))
        return [f"{self.job} is scraped again"]
