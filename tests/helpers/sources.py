"""Fakes of Prometheus and the pager for the console, with an alert whose labels are hostile."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from documents import audit_row, page

from lab import names
from lab.clients.documents import AuditRow, Page
from lab.clients.pager import Pager
from lab.clients.prometheus import ActiveAlert, Exemplar, Prometheus, Sample, Series
from lab.console.charts import charts
from lab.console.snapshot import Watcher
from lab.errors import NotRunning, UsageError
from lab.paths import RULES
from lab.slo.catalogue import Catalogue
from lab.telemetry.settings import Environment, Settings

EVIL = '<img src=x onerror="window.harmed=1">'
UP = {"gateway": 1, "user-1": 1, "user-2": 0, "feed-1": 1, "traffic": 1}


class MadeUpPrometheus:
    """Feed latency p99 burns at 30x and pages; everything else is quiet or absent."""

    def __init__(self, *, gone: bool = False) -> None:
        self.gone = gone
        self.queries = 0
        self.capacity = {"default": 250.0, "n-1": 150.0}

    def _answer(self) -> None:
        self.queries += 1
        if self.gone:
            raise NotRunning("Prometheus at http://127.0.0.1:1 does not answer")

    def instant(self, query: str, at: float | None = None) -> list[Sample]:
        self._answer()
        assert at is None
        if query == "up":
            return [Sample({"job": name.split("-")[0], "instance": name}, value) for name, value in UP.items()]
        if "slo:sli_error" in query:
            ids = {"feed-latency-p99": 0.3, "feed-availability": 0.0, "user-latency-p99": float("nan")}
            return [
                Sample({"sloth_id": ident, "__name__": f"slo:sli_error:ratio_rate{window}"}, value)
                for ident, value in ids.items()
                for window in ("5s", "30s", "1m", "2m", "6m", "24m", "1h12m")
            ]
        if query == names.CAPACITY_MEASURED:
            return [Sample({"configuration": name}, value) for name, value in self.capacity.items()]
        return [Sample({"flag": EVIL}, 0.0)]

    def number(self, query: str) -> float | None:
        self._answer()
        return 80.0 if "traffic" in query else None

    def alerts(self) -> list[ActiveAlert]:
        self._answer()
        labels = {"alertname": "FeedLatencyP99Burn", "severity": "page", "sloth_id": "feed-latency-p99"}
        return [ActiveAlert(labels, "firing")]

    def range(self, query: str, start: float, end: float, step_seconds: float = 1.0) -> list[Series]:
        self._answer()
        if "1.1.0" in query:
            return []
        return [Series({}, [(start + 10 * step_seconds, 0.02), (end - step_seconds, float("nan")), (end, 0.7)])]

    def exemplars(self, selector: str, start: float, end: float) -> list[Exemplar]:
        """Of the feed: a slow request, and a faster one in the same five seconds, half-way."""
        self._answer()
        at = (start + end) // 10 * 5
        return [Exemplar(at + 1, 0.52, "b" * 32), Exemplar(at + 2, 0.02, "a" * 32)] if "/v1/feed" in selector else []


class MadeUpPager:
    """One firing page, number 7, which was escalated."""

    def __init__(self, *, gone: bool = False) -> None:
        self.gone = gone
        self.acked: list[tuple[int, str]] = []

    def _answer(self) -> None:
        if self.gone:
            raise NotRunning("the pager at http://127.0.0.1:1 does not answer")

    def pages(self) -> list[Page]:
        self._answer()
        return [
            page(
                alertname=EVIL,
                summary=EVIL,
                runbook_url="javascript:window.harmed=1",
                acked_at="2026-01-02T03:05:05.000Z" if self.acked else None,
                acked_by=self.acked[0][1] if self.acked else None,
                escalated_at="2026-01-02T03:09:05.000Z",
                escalated_to=EVIL,
            )
        ]

    def audit(self, **_: Any) -> list[AuditRow]:
        self._answer()
        return [
            audit_row(**dict.fromkeys(("id", "actor", "action", "target", "old", "new", "outcome", "reason"), EVIL))
        ]

    def ack(self, page_id: int, by: str) -> tuple[Page, bool]:
        self._answer()
        if page_id != 7:
            raise UsageError(f"the pager: no page {page_id}")
        self.acked.append((page_id, by))
        return self.pages()[0], len(self.acked) == 1


def watcher(prometheus: MadeUpPrometheus, pager: MadeUpPager) -> Watcher:
    """A watcher over the fakes and the real SLO specs."""
    catalogue = Catalogue(RULES)
    return Watcher(
        cast(Prometheus, prometheus), cast(Pager, pager), catalogue.slos, catalogue.lab, charts(catalogue.slos)
    )


TOKEN = "the-control-token-of-the-made-up-lab"


def settings(folder: Path) -> Settings:
    """The settings of a console. Its token file is in `folder`; it holds TOKEN unless it exists already."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "token").exists():
        (folder / "token").write_text(TOKEN)
    environment = {"FLEETOPS_LISTEN": "127.0.0.1:16099", "FLEETOPS_TOKEN_FILE": str(folder / "token")}
    return Settings.read("console", environment=Environment(environment), admin=False, token=True)
