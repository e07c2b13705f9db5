"""Queries of the series that the SLO rules record, in which the names and windows of both profiles fit.

`matchers` is the content of a selector's braces; "" selects every SLO.
"""

from __future__ import annotations

from scripts.dashboards.panels import GREEN, ORANGE, RED

ALERT_STATES: dict[float, tuple[str, str]] = {0: ("none", GREEN), 1: ("ticket", ORANGE), 2: ("page", RED)}


def sli(matchers: str = "") -> str:
    """The SLI of the shortest window: the part of good events."""
    return f"1 - {bad('slo:current_burn_rate:ratio', matchers)}"


def sli_of_period(matchers: str = "") -> str:
    """The SLI of the whole SLO period."""
    return f"1 - {bad('slo:period_burn_rate:ratio', matchers)}"


def bad(burn_rate: str, matchers: str = "") -> str:
    """The part of bad events, from the recorded series of a burn rate."""
    return f"{select(burn_rate, matchers)} * on (sloth_id) group_left () {select('slo:error_budget:ratio', matchers)}"


def burn_by_window(matchers: str = "") -> str:
    """The burn rate of every window that the rules record, by `sloth_window`."""
    ratios = '{__name__=~"slo:sli_error:ratio_rate.+"' + (f",{matchers}}}" if matchers else "}")
    return f"{ratios} / on (sloth_id) group_left () {select('slo:error_budget:ratio', matchers)}"


def events(matchers: str = "") -> str:
    """All events a second, in the shortest window."""
    return '{__name__=~"slo:sli_total:rate.+"' + (f",{matchers}}}" if matchers else "}")


def bad_events(matchers: str = "") -> str:
    """Bad events a second, in the shortest window."""
    return f"{events(matchers)} * on (sloth_id) {bad('slo:current_burn_rate:ratio', matchers)}"


def alert_state(matchers: str, by: str = "sloth_id") -> str:
    """The most severe of the alerts that are firing, by SLO or by another label, as a key of ALERT_STATES."""

    def firing(severity: str) -> str:
        return f'max by ({by}) (ALERTS{{alertstate="firing",severity="{severity}",{matchers}}})'

    nothing = f"max by ({by}) ({select('slo:objective:ratio', matchers)})" if by == "sloth_id" else firing("none")
    return f"2 * {firing('page')} or {firing('ticket')} or 0 * {nothing}"


def select(series: str, matchers: str = "") -> str:
    """A selector."""
    return f"{series}{{{matchers}}}" if matchers else series
