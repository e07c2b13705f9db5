"""One running incident: the state that the phases and the responder share, and the timeline that they write."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from lab.clients.documents import AuditRow, Page
from lab.clients.times import epoch_seconds, utc_text
from lab.control.lab_clients import LabClients
from lab.drills.faults import FaultContext, Report
from lab.drills.run.diagnosis import ANSWERS
from lab.drills.schema.record import Evidence, Kind, Prediction, RunbookStep, TimelineRow
from lab.drills.spec.drill import Drill
from lab.drills.undo.journal import CLEANER
from lab.slo.catalogue import load_specs
from lab.slo.model import Slo, Windows
from lab.slo.rendering import series

POLL_SECONDS = 0.25


@dataclass
class Incident:
    """The state of one drill while it runs.

    Times are epoch seconds. `t0` is the injection of the fault; until then, the start of the run.
    """

    drill: Drill
    clients: LabClients
    prediction: Prediction | None
    slo: Slo | None
    windows: Windows
    responder: str
    echo: Report
    context: FaultContext
    program: tuple[str, ...] = ()  # the command line of the responder `command`
    variables: tuple[str, ...] = ()  # names of the environment variables that the program gets
    blind: bool = False  # whether the output must not reveal the fault
    kept_history: bool = False  # whether Prometheus still has samples from before the drill
    started_at: float = field(default_factory=time.time)
    t0: float = 0.0
    page: Page | None = None  # the expected alert as delivered: a page or a ticket
    branch: str | None = None
    runbook: list[RunbookStep] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)
    timeline: list[TimelineRow] = field(default_factory=list)
    responded_until: float | None = None  # when the responder finished
    held: bool = False
    overdue: bool = False  # whether the recovery missed the drill's limit
    ended_at: float = 0.0

    def __post_init__(self) -> None:
        self.t0 = self.started_at

    def since_t0(self, at: float | None = None) -> float:
        """Seconds from the injection of the fault to `at` (None: now)."""
        return (time.time() if at is None else at) - self.t0

    def report(self, text: str) -> None:
        """Print a line, with the time since the injection."""
        clock = f"T+{self.since_t0():5.1f} s" if self.t0 != self.started_at else "         "
        self.echo(f"{clock}  {text}")

    def note(
        self,
        kind: Kind,
        title: str,
        detail: str = "",
        *,
        by: str = "",
        at: float | None = None,
        evidence: Evidence | None = None,
    ) -> None:
        """Add a row to the timeline, at `at` (None: now)."""
        at = time.time() if at is None else at
        self.timeline.append(
            TimelineRow(
                at=utc_text(at),
                t_seconds=round(self.since_t0(at), 3),
                kind=kind,
                title=title,
                detail=detail,
                by=by,
                evidence=evidence,
            )
        )

    def slos(self) -> list[Slo]:
        """Every SLO of the services at stake."""
        return [slo for slo in load_specs() if slo.service in self.drill.services]

    def sli_query(self, slo: Slo | None = None) -> str:
        """The query of an SLO's bad ratio over the shortest window; None: the SLO at stake."""
        slo = slo or self.slo
        if slo is None:
            raise ValueError("a control has no SLO at stake")
        return f"{series.error_ratio(self.windows.shortest_seconds)}{series.selector(slo)}"

    def restored(self, at: float | None = None) -> bool:
        """Whether the drill's own condition, if it has one, holds at `at` (epoch seconds; None: now)."""
        condition = self.drill.restored
        return condition is None or bool(self.clients.prometheus.instant(condition.query, at))

    def notices(self) -> list[Page]:
        """The pages and tickets since the injection of the fault, oldest first."""
        return [page for page in self.clients.pager.pages() if self._arrived_since(page)][::-1]

    def expected(self) -> list[Page]:
        """The notices of the expected alert; in a control, every page."""
        expect = self.drill.expect
        return [
            page
            for page in self.notices()
            if page.severity == expect.severity and expect.alert in (None, page.alertname)
        ]

    def refresh_page(self) -> Page | None:
        """Reload the incident's page from the pager."""
        if self.page is not None:
            self.page = self.clients.pager.page(self.page.id)
        return self.page

    def actions(self) -> list[AuditRow]:
        """The audit rows since the injection, those of the fault included, oldest first."""
        return self.clients.pager.audit(utc_text(self.t0))

    def responder_actions(self) -> list[AuditRow]:
        """The changes, attempted or made, by others than the fault and the clean-up."""
        own_actors = (*self.drill.actors, CLEANER)
        return [row for row in self.actions() if row.actor not in own_actors and row.action not in ANSWERS]

    def report_unless_blind(self, text: str) -> None:
        """Print a line that reveals the fault, unless the drill is blind."""
        if not self.blind:
            self.report(text)

    def _arrived_since(self, page: Page) -> bool:
        return epoch_seconds(page.received_at) >= self.t0
