"""One running incident: what the phases and the responder share, and the timeline they write."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.clients.documents import AuditRow, Page
from lab.clients.times import epoch_seconds, utc_text
from lab.control.lab_clients import LabClients
from lab.drills.faults import FaultContext
from lab.drills.run.diagnosis import ANSWERS
from lab.drills.schema.record import Evidence, Kind, Prediction, RunbookStep, TimelineRow
from lab.drills.spec.drill import Drill
from lab.drills.undo.journal import CLEANER
from lab.slo.catalogue import LAB, committed, load_specs
from lab.slo.model import Slo, Windows
from lab.slo.rendering import series

Say = Callable[[str], None]
POLL_SECONDS = 0.25


@dataclass
class Incident:
    """Instants are epoch seconds. `t0` is when the fault began; before that it is when the run began."""

    drill: Drill
    clients: LabClients
    prediction: Prediction | None
    slo: Slo | None
    windows: Windows
    responder: str
    echo: Say
    context: FaultContext
    program: tuple[str, ...] = ()  # what the responder `command` runs
    variables: tuple[str, ...] = ()  # of the environment, which it is given by name
    blind: bool = False  # whether who watches must not be told what is broken
    kept_history: bool = False  # whether Prometheus still holds what was before the drill
    started_at: float = field(default_factory=time.time)
    t0: float = 0.0
    page: Page | None = None  # the expected alert as it was delivered: a page, or a ticket
    branch: str | None = None
    runbook: list[RunbookStep] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)
    timeline: list[TimelineRow] = field(default_factory=list)
    responded_until: float | None = None  # when the responder was done
    held: bool = False
    overdue: bool = False  # what was to be good again was not so within the drill's limit
    ended_at: float = 0.0

    def __post_init__(self) -> None:
        self.t0 = self.started_at

    def since_t0(self, at: float | None = None) -> float:
        """Seconds since the fault began."""
        return (time.time() if at is None else at) - self.t0

    def say(self, text: str) -> None:
        """Tell the person who watches."""
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
        """Add a row to the timeline."""
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
        """The SLO at stake and its sisters: every promise of the services it reaches."""
        return [slo for slo in load_specs() if slo.service in self.drill.services]

    def sli_query(self, slo: Slo | None = None) -> str:
        """The bad ratio of an SLO (the one at stake), over the shortest window."""
        slo = slo or self.slo
        if slo is None:
            raise ValueError("a control has no SLO at stake")
        return f"{series.error_ratio(self.windows.shortest_seconds)}{series.selector(slo)}"

    def restored(self, at: float | None = None) -> bool:
        """Whether the drill's own condition of recovery holds, if it has one; `at` an instant, or now."""
        wanted = self.drill.restored
        return wanted is None or bool(self.clients.prometheus.instant(wanted.query, at))

    def notices(self) -> list[Page]:
        """The pages and tickets that arrived since the fault began, oldest first."""
        return [page for page in self.clients.pager.pages() if self._arrived_since(page)][::-1]

    def expected(self) -> list[Page]:
        """Those of them that tell of the expected alert; in a control, every page."""
        wanted = self.drill.expect
        return [
            page
            for page in self.notices()
            if page.severity == wanted.severity and wanted.alert in (None, page.alertname)
        ]

    def refresh_page(self) -> Page | None:
        """The incident's page as the pager has it now."""
        if self.page is not None:
            self.page = self.clients.pager.page(self.page.id)
        return self.page

    def actions(self) -> list[AuditRow]:
        """What was done since the fault began, the fault itself included, oldest first."""
        return self.clients.pager.audit(utc_text(self.t0))

    def responder_actions(self) -> list[AuditRow]:
        """What somebody other than the fault and the clean-up changed, or tried to."""
        ours = (*self.drill.actors, CLEANER)
        return [row for row in self.actions() if row.actor not in ours and row.action not in ANSWERS]

    def reveal(self, text: str) -> None:
        """Tell the person who watches, unless it would spoil the exercise."""
        if not self.blind:
            self.say(text)

    def rules_file(self) -> Any:
        """The generated rules of the SLO at stake."""
        return committed().generated_file(LAB, committed().spec_file(self.slo.sloth_id)) if self.slo else None

    def _arrived_since(self, page: Page) -> bool:
        return epoch_seconds(page.received_at) >= self.t0
