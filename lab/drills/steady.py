"""Is the lab steady enough for a drill to mean something, and what do its windows remember?"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, TypeVar

from lab import names
from lab.control.desk import Desk
from lab.drills import promise
from lab.drills.incident import Incident, Say
from lab.drills.responders import CONTROLS
from lab.drills.spec import Drill
from lab.errors import LabError
from lab.slo import series
from lab.slo.durations import format_duration
from lab.slo.model import PAGE, SEVERITIES, TICKET, Slo, Windows

# Before a drill, the last minute must have spent less than this part of the budget's rate, and everything must have
# been up and watched for as long as the record reaches back before the fault. That time is judged by itself too: over
# a minute that a young lab has not seen all of, the rules thin what they saw.
STEADY_BUDGET_RATIO = 0.1
STEADY_SECONDS, WATCHED_SECONDS = 60, 30
# A control of the grading is no evidence of detection: it needs a system that works when it is broken, no more.
CONTROL_SECONDS = 10
# A page window may reach back past a pause of the lab that takes this part of it: its ratio is then a fifth too high.
PAUSE_RATIO = 1 / 6
TELL_SECONDS = 15

Found = TypeVar("Found", str, float)


def whole_windows(desk: Desk, windows: Windows, say: Say) -> None:
    """Wait until the page windows no longer reach back past a pause of the lab. Raises LabError when they still do.

    The rules take all of a window for seen from the first that they saw in it. What was there before a pause leaves the
    window while the drill runs, and what the fault spent weighs more and more: an alert that was over comes back.
    """
    longest = max(tier.long_seconds for tier in windows.of(PAGE))

    def look() -> float:
        missing = desk.prometheus.number(paused(longest)) or 0.0
        return missing if missing > longest * PAUSE_RATIO else 0.0

    def tell(missing: float, left: float) -> None:
        say(
            f"the lab was off for {missing:.0f} s of the last {longest}: the drill starts when no page window"
            f" reaches back to before that, in {left - TELL_SECONDS:.0f} s at the latest"
        )

    if missing := _wait(look, longest + TELL_SECONDS, tell, at_once=True):
        raise LabError(f"the lab was not watched for {missing:.0f} s of the last {longest} s; see 'fleetops status'")


def paused(window_seconds: int) -> str:
    """The query of how many seconds of a window nothing was seen that its rules take for seen, once a second."""
    seen = f"{series.SEEN}[{window_seconds}s]"
    return f"max(clamp_max(time() - min_over_time({seen}), {window_seconds}) - count_over_time({seen}))"


def steady_state(incident: Incident) -> None:
    """Nothing pages, no platform alert is up, and no SLO has of late spent a tenth of its budget's rate."""
    incident.say("steady state: waiting until nothing pages and every SLI is inside its objective")
    limit = incident.drill.limits.steady_seconds
    if reason := _wait(lambda: _unsteady(incident), limit, lambda why, _: incident.say(f"not steady yet: {why}")):
        raise LabError(f"not steady after {limit:g} s: {reason}; see 'fleetops status'")
    incident.say("steady")


def _wait(
    look: Callable[[], Found], seconds: float, tell: Callable[[Found, float], None], *, at_once: bool = False
) -> Found:
    """Look once a second until nothing is found or `seconds` are over; what was found last.

    `tell` gets what was found and the seconds that are left, every TELL_SECONDS and, with `at_once`, at the first look.
    """
    end = time.monotonic() + seconds
    told = -math.inf if at_once else time.monotonic()
    while (found := look()) and (now := time.monotonic()) <= end:
        if now - told > TELL_SECONDS:
            told = now
            tell(found, end - now)
        time.sleep(1)
    return found


def _disturbs(alert: dict[str, Any], drill: Drill, *, control: bool = False) -> str:
    """What a firing page, or a platform alert that fires or is about to, says against a start; "" when it is none.

    The ticket of an SLO may fire: its windows remember earlier drills for an hour. So may one that the drill says its
    own load can bring about, and before a control every ticket that is not the one it waits for.
    """
    labels = alert["labels"]
    if labels.get("severity") == TICKET:
        if control and labels["alertname"] != drill.expect.alert:
            return ""
        if drill.load and labels["alertname"] in drill.expect.may.get(TICKET, ()):
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
    control = incident.responder in CONTROLS
    alerts = incident.desk.prometheus.alerts()
    if loud := sorted({name for alert in alerts if (name := _disturbs(alert, incident.drill, control=control))}):
        return f"{', '.join(loud)}"
    if silences := incident.desk.prometheus.number(names.SILENCES_ACTIVE):
        return f"{silences:.0f} silences are active in Alertmanager, so a page may reach nobody; `fleetops doctor` says"
    open_pages = incident.desk.pager.pages(only_open=True)
    if told := sorted({page["alertname"] for page in open_pages if page["severity"] == PAGE}):
        return f"{', '.join(told)} is not resolved"
    return _burning(incident, control=control) or _unwatched(incident, CONTROL_SECONDS if control else WATCHED_SECONDS)


def _burning(incident: Incident, *, control: bool) -> str:
    """Which SLO has of late spent too much, or ""."""
    for sloth_id, (slo, _) in sorted(promise.all_slos().items()):
        for seconds, query, most in _looks(incident, slo, control=control):
            bad = incident.desk.prometheus.number(query)
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
    ask = incident.desk.prometheus.instant
    if down := sorted({sample.labels["instance"] for sample in ask(f"min_over_time(up[{seconds}s]) == 0")}):
        return f"{', '.join(down)} did not answer within the last {seconds} s"
    # One scrape may be missing.
    if not ask(f'count_over_time(up{{job="gateway"}}[{seconds}s]) >= {seconds - 2}'):
        return f"the gateway has not been watched for {seconds} s yet"
    return ""
