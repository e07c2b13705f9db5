"""Is the lab steady enough for a drill to mean something?"""

from __future__ import annotations

import time
from typing import Any

from lab import names
from lab.drills.run.incident import Incident
from lab.drills.run.responders import CONTROLS
from lab.drills.spec.drill import Drill
from lab.errors import LabError, Void
from lab.slo.catalogue import load_specs
from lab.slo.model import PAGE, SEVERITIES, TICKET, Slo
from lab.slo.rendering import series
from lab.stack.health import machine

# Before a drill, the last minute must have spent less than this part of the budget's rate, and everything must have
# been up and watched for as long as the record reaches back before the fault. That time is judged by itself too: over
# a minute that a young lab has not seen all of, the rules thin what they saw.
STEADY_BUDGET_RATIO = 0.1
STEADY_SECONDS, WATCHED_SECONDS = 60, 30
# A control of the grading is no evidence of detection: it needs a system that works when it is broken, no more.
CONTROL_SECONDS = 10
TELL_SECONDS = 15


def steady_state(incident: Incident) -> None:
    """Nothing pages, no platform alert is up, and no SLO has of late spent a tenth of its budget's rate.

    Raises LabError, with what is in the way, when that is not so within the drill's limit; Void when it is the machine.
    """
    incident.say("steady state: waiting until nothing pages and every SLI is inside its objective")
    limit = incident.drill.limits.steady_seconds
    end, told = time.monotonic() + limit, time.monotonic()
    starved = ""
    while reason := (busy := _too_busy(incident)) or _unsteady(incident):
        starved = busy or starved
        now = time.monotonic()
        if now > end and starved:
            raise Void(f"{incident.drill.id} did not start within {limit:g} s: {starved}")
        if now > end:
            raise LabError(f"not steady after {limit:g} s: {reason}; see 'fleetops status'")
        if now - told > TELL_SECONDS:
            told = now
            incident.say(f"not steady yet: {reason}")
        time.sleep(1)
    incident.say("steady")


def _disturbs(alert: dict[str, Any], drill: Drill, *, kept_history: bool = False) -> str:
    """What an alert that fires, or a platform alert that is about to, says against a start; "" when it is none.

    A ticket may that the drill says its own load can raise. Where the history is kept, so may the ticket of an SLO: its
    windows hold earlier incidents for more than an hour.
    """
    labels = alert["labels"]
    if labels.get("severity") not in SEVERITIES:
        return ""
    of_slo = "sloth_id" in labels
    if labels["severity"] == TICKET:
        if of_slo and kept_history:
            return ""
        if drill.load and labels["alertname"] in drill.expect.may.get(TICKET, ()):
            return ""
    if of_slo and alert["state"] != "firing":
        return ""
    return f"{labels['alertname']} is {alert['state']}"


def _unsteady(incident: Incident) -> str:
    """Why the lab is not steady, or ""."""
    control = incident.responder in CONTROLS
    alerts = incident.clients.prometheus.alerts()
    kept = incident.kept_history
    if loud := sorted({name for alert in alerts if (name := _disturbs(alert, incident.drill, kept_history=kept))}):
        return ", ".join(loud)
    if silences := incident.clients.prometheus.number(names.SILENCES_ACTIVE):
        return f"{silences:.0f} silences are active in Alertmanager, so a page may reach nobody; `fleetops doctor` says"
    open_pages = incident.clients.pager.pages(only_open=True)
    if told := sorted({page.alertname for page in open_pages if page.severity == PAGE}):
        return f"{', '.join(told)} is not resolved"
    return _burning(incident, control=control) or _unwatched(incident, CONTROL_SECONDS if control else WATCHED_SECONDS)


def _too_busy(incident: Incident) -> str:
    """Whether the machine leaves the lab too little, in words, or ""."""
    others = incident.clients.prometheus.number(machine.too_busy_query())
    return "" if others is None else machine.too_busy(others)


def _burning(incident: Incident, *, control: bool) -> str:
    """Which SLO has of late spent too much, or ""."""
    for sloth_id, slo in sorted((slo.sloth_id, slo) for slo in load_specs()):
        for seconds, query, most in _looks(incident, slo, control=control):
            bad = incident.clients.prometheus.number(query)
            if bad is None:
                return f"{sloth_id} has no data yet"
            if bad > most:
                return f"{sloth_id} had {bad:.2%} bad events in the last {seconds} s, more than {most:.2%}"
    return ""


def _looks(incident: Incident, slo: Slo, *, control: bool) -> list[tuple[int, str, float]]:
    """How an SLO is judged: seconds to look back, the query of the bad ratio in them, and the most it may be."""

    def ratio(window_seconds: int) -> str:
        return f"{series.error_ratio(window_seconds)}{series.selector(slo)}"

    budget = slo.budget_ratio
    if control:
        highest = f"max_over_time({ratio(incident.windows.shortest_seconds)}[{CONTROL_SECONDS}s])"
        return [(CONTROL_SECONDS, highest, budget)]
    at_stake = incident.slo is not None and slo.sloth_id == incident.slo.sloth_id
    return [
        (STEADY_SECONDS, ratio(STEADY_SECONDS), budget * (STEADY_BUDGET_RATIO if at_stake else 1)),
        (WATCHED_SECONDS, ratio(WATCHED_SECONDS), budget),
    ]


def _unwatched(incident: Incident, seconds: int) -> str:
    """What did not answer throughout the last seconds, or ""."""
    ask = incident.clients.prometheus.instant
    if down := sorted({sample.labels["instance"] for sample in ask(f"min_over_time(up[{seconds}s]) == 0")}):
        return f"{', '.join(down)} did not answer within the last {seconds} s"
    # One scrape may be missing.
    if not ask(f'count_over_time(up{{job="gateway"}}[{seconds}s]) >= {seconds - 2}'):
        return f"the gateway has not been watched for {seconds} s yet"
    return ""
