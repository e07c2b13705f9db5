"""The steady state that a drill needs before it injects its fault."""

from __future__ import annotations

import time

from lab import names
from lab.clients.prometheus import ActiveAlert
from lab.drills.run.incident import Incident
from lab.drills.run.responders import CONTROLS
from lab.drills.spec.alerts import of_capacity
from lab.drills.spec.drill import Drill
from lab.errors import LabError, Void
from lab.slo.catalogue import load_specs
from lab.slo.model import PAGE, SEVERITIES, TICKET, Slo
from lab.slo.rendering import series
from lab.stack.health import machine

# Before a drill, the last STEADY_SECONDS must have burned the budget at no more than this rate, and everything must
# have been up and monitored for WATCHED_SECONDS, the part of the record before the fault. RECENT_SECONDS are checked
# separately, because in a lab younger than STEADY_SECONDS the rules dilute the ratio over the longer window.
STEADY_BUDGET_RATIO = 0.1
STEADY_SECONDS, RECENT_SECONDS, WATCHED_SECONDS = 60, 30, 20
# A control of the grading is not evidence of detection, so a shorter check is enough.
CONTROL_SECONDS = 10
REPORT_SECONDS = 15


def steady_state(incident: Incident) -> None:
    """Wait until nothing pages, no platform alert is active, and every SLO burns at most a tenth of its budget's rate.

    Raises LabError with the reason when that takes longer than the drill's limit; Void if the machine was too busy.
    """
    incident.report("steady state: waiting until nothing pages and every SLI meets its objective")
    limit = incident.drill.limits.steady_seconds
    end, reported_at = time.monotonic() + limit, time.monotonic()
    starved = ""
    while reason := (busy := _too_busy(incident)) or _unsteady(incident):
        starved = busy or starved
        now = time.monotonic()
        if now > end and starved:
            raise Void(f"{incident.drill.id} did not start within {limit:g} s: {starved}")
        if now > end:
            raise LabError(f"not steady after {limit:g} s: {reason}; see 'fleetops status'")
        if now - reported_at > REPORT_SECONDS:
            reported_at = now
            incident.report(f"not steady yet: {reason}")
        time.sleep(1)
    incident.report("steady")


def _blocks(alert: ActiveAlert, drill: Drill, *, kept_history: bool = False) -> str:
    """Why this alert blocks the drill, or "" if it does not.

    Firing alerts block, and so do pending platform alerts. Tickets about capacity do not, because nothing is broken,
    nor do tickets that the drill lists for its own load, and with kept history neither do SLO tickets, whose windows
    contain earlier incidents for more than an hour.
    """
    labels = alert.labels
    if labels.get("severity") not in SEVERITIES:
        return ""
    of_slo = "sloth_id" in labels
    if labels["severity"] == TICKET:
        if of_slo and kept_history:
            return ""
        if labels["alertname"] in of_capacity():
            return ""
        if drill.load and labels["alertname"] in drill.expect.may.get(TICKET, ()):
            return ""
    if of_slo and alert.state != "firing":
        return ""
    return f"{labels['alertname']} is {alert.state}"


def _unsteady(incident: Incident) -> str:
    """Why the lab is not steady, or ""."""
    control = incident.responder in CONTROLS
    alerts = incident.clients.prometheus.alerts()
    kept = incident.kept_history
    if reasons := sorted({why for alert in alerts if (why := _blocks(alert, incident.drill, kept_history=kept))}):
        return ", ".join(reasons)
    if silences := incident.clients.prometheus.number(names.SILENCES_ACTIVE):
        return f"{silences:.0f} silences are active in Alertmanager and may suppress the page; see `fleetops doctor`"
    open_pages = incident.clients.pager.pages(only_open=True)
    if unresolved := sorted({page.alertname for page in open_pages if page.severity == PAGE}):
        return f"{', '.join(unresolved)} is not resolved"
    return _burning(incident, control=control) or _unwatched(incident, CONTROL_SECONDS if control else WATCHED_SECONDS)


def _too_busy(incident: Incident) -> str:
    """Why the machine is too busy for the lab, or ""."""
    others = incident.clients.prometheus.number(machine.too_busy_query())
    return "" if others is None else machine.too_busy(others)


def _burning(incident: Incident, *, control: bool) -> str:
    """Which SLO burns its budget too fast, or ""."""
    for sloth_id, slo in sorted((slo.sloth_id, slo) for slo in load_specs()):
        for seconds, query, most in _limits(incident, slo, control=control):
            bad = incident.clients.prometheus.number(query)
            if bad is None:
                return f"{sloth_id} has no data yet"
            if bad > most:
                return f"{sloth_id} had {bad:.2%} bad events in the last {seconds} s, more than {most:.2%}"
    return ""


def _limits(incident: Incident, slo: Slo, *, control: bool) -> list[tuple[int, str, float]]:
    """(window in seconds, query of the bad ratio in it, the largest allowed ratio) for each check of an SLO."""

    def ratio(window_seconds: int) -> str:
        return f"{series.error_ratio(window_seconds)}{series.selector(slo)}"

    budget = slo.budget_ratio
    if control:
        highest = f"max_over_time({ratio(incident.windows.shortest_seconds)}[{CONTROL_SECONDS}s])"
        return [(CONTROL_SECONDS, highest, budget)]
    at_stake = incident.slo is not None and slo.sloth_id == incident.slo.sloth_id
    return [
        (STEADY_SECONDS, ratio(STEADY_SECONDS), budget * (STEADY_BUDGET_RATIO if at_stake else 1)),
        (RECENT_SECONDS, ratio(RECENT_SECONDS), budget),
    ]


def _unwatched(incident: Incident, seconds: int) -> str:
    """What was down or not monitored within the last seconds, or ""."""
    query = incident.clients.prometheus.instant
    if down := sorted({sample.labels["instance"] for sample in query(f"min_over_time(up[{seconds}s]) == 0")}):
        return f"{', '.join(down)} was down within the last {seconds} s"
    # One scrape may be missing.
    if not query(f'count_over_time(up{{job="gateway"}}[{seconds}s]) >= {seconds - 2}'):
        return f"the gateway has not been monitored for {seconds} s yet"
    return ""
