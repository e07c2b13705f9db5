"""Is the lab steady enough for a drill to mean something, and what do its windows remember?"""

from __future__ import annotations

import time
from typing import Any

from lab.drills import promise
from lab.drills.incident import Incident
from lab.drills.responders import CONTROLS
from lab.drills.spec import Drill
from lab.errors import LabError
from lab.slo import series
from lab.slo.durations import format_duration
from lab.slo.model import PAGE, SEVERITIES, TICKET

# Before a drill, the last minute must have spent less than this part of the budget's rate. A control of the grading is
# no evidence of detection: for it the shorter of the windows that are recorded anyway is enough.
STEADY_BUDGET_RATIO = 0.1
STEADY_SECONDS, CONTROL_STEADY_SECONDS = 60, 30
# Everything must have been up and watched for this long: the record starts that long before the fault.
WATCHED_SECONDS = 30


def steady_state(incident: Incident) -> None:
    """Nothing pages, no platform alert is up, and no SLO has of late spent a tenth of its budget's rate."""
    incident.say("steady state: waiting until nothing pages and every SLI is inside its objective")
    end, reason = time.monotonic() + incident.drill.limits.steady_seconds, "…"
    told = time.monotonic()
    while reason := _unsteady(incident):
        if time.monotonic() > end:
            raise LabError(
                f"not steady after {incident.drill.limits.steady_seconds:g} s: {reason}; see 'fleetops status'"
            )
        if time.monotonic() - told > 15:
            told = time.monotonic()
            incident.say(f"not steady yet: {reason}")
        time.sleep(1)
    incident.say("steady")


def _disturbs(alert: dict[str, Any], drill: Drill) -> str:
    """What a firing page, or a platform alert that fires or is about to, says against a start; "" when it is none.

    The ticket of an SLO may fire: its windows remember earlier drills for an hour. So may one that the drill says its
    own load can bring about.
    """
    labels = alert["labels"]
    if drill.load and labels.get("severity") == TICKET and labels["alertname"] in drill.expect.may.get(TICKET, ()):
        return ""
    platform = not labels.get("sloth_id") and labels.get("severity") in SEVERITIES
    if platform or (labels.get("severity") == PAGE and alert["state"] == "firing"):
        return f"{labels['alertname']} is {alert['state']}"
    return ""


def remembered(incident: Incident) -> list[str]:
    """What the long windows of the page tiers hold already: it brings the page forward, never back."""
    if incident.slo is None:
        return []
    lines = []
    for tier in incident.windows.of(incident.drill.expect.severity):
        needed = tier.factor * incident.slo.budget_ratio
        query = f"{series.error_ratio(tier.long_seconds)}{series.selector(incident.slo)}"
        held = incident.desk.prometheus.number(query) or 0.0
        if held > needed * STEADY_BUDGET_RATIO:
            lines.append(
                f"tier {tier.name}: its {format_duration(tier.long_seconds)} window held {held:.2%} of the {needed:.2%}"
                " it needs before the fault began, from earlier incidents; the page may come sooner"
            )
    return lines


def _unsteady(incident: Incident) -> str:
    """Why the lab is not steady, or ""."""
    if loud := sorted(
        {name for alert in incident.desk.prometheus.alerts() if (name := _disturbs(alert, incident.drill))}
    ):
        return f"{', '.join(loud)}"
    open_pages = incident.desk.pager.pages(only_open=True)
    if told := sorted({page["alertname"] for page in open_pages if page["severity"] == PAGE}):
        return f"{', '.join(told)} is not resolved"
    window = CONTROL_STEADY_SECONDS if incident.responder in CONTROLS else STEADY_SECONDS
    for sloth_id, (slo, _) in sorted(promise.all_slos().items()):
        at_stake = incident.slo is not None and sloth_id == incident.slo.sloth_id
        most = slo.budget_ratio * (STEADY_BUDGET_RATIO if at_stake else 1)
        ratio = incident.desk.prometheus.number(f"{series.error_ratio(window)}{series.selector(slo)}")
        if ratio is None:
            return f"{sloth_id} has no data yet"
        if ratio > most:
            return f"{sloth_id} had {ratio:.2%} bad events in the last {window} s, more than {most:.2%}"
    ask = incident.desk.prometheus.instant
    if down := sorted({sample.labels["instance"] for sample in ask(f"min_over_time(up[{WATCHED_SECONDS}s]) == 0")}):
        return f"{', '.join(down)} did not answer within the last {WATCHED_SECONDS} s"
    # One scrape may be missing.
    if not ask(f'count_over_time(up{{job="gateway"}}[{WATCHED_SECONDS}s]) >= {WATCHED_SECONDS - 2}'):
        return f"the gateway has not been watched for {WATCHED_SECONDS} s yet"
    return ""
