"""Names of the series that the generated rules record. Series that Sloth records too have Sloth's names."""

from __future__ import annotations

from lab.slo.durations import format_duration
from lab.slo.model import Slo

LABEL_ID = "sloth_id"
LABEL_SERVICE = "sloth_service"
LABEL_SLO = "sloth_slo"
LABEL_WINDOW = "sloth_window"
LABEL_SEVERITY = "sloth_severity"

OBJECTIVE = "slo:objective:ratio"
ERROR_BUDGET = "slo:error_budget:ratio"
PERIOD_DAYS = "slo:time_period:days"
CURRENT_BURN_RATE = "slo:current_burn_rate:ratio"
PERIOD_BURN_RATE = "slo:period_burn_rate:ratio"
BUDGET_REMAINING = "slo:period_error_budget_remaining:ratio"
INFO = "sloth_slo_info"

# Not in Sloth: the times at which the SLI existed; and below, bad and total events as separate series.
SEEN = "slo:sli_seen:timestamp_seconds"


def error_ratio(window_seconds: int) -> str:
    """The series of the bad ratio over one window, for example `slo:sli_error:ratio_rate5m`."""
    return f"slo:sli_error:ratio_rate{format_duration(window_seconds)}"


def error_rate(window_seconds: int) -> str:
    """The series of bad events over one window, in the unit of the SLO's query."""
    return f"slo:sli_error:rate{format_duration(window_seconds)}"


def total_rate(window_seconds: int) -> str:
    """The series of all events over one window, in the unit of the SLO's query."""
    return f"slo:sli_total:rate{format_duration(window_seconds)}"


def selector(slo: Slo) -> str:
    """The label matcher, with braces, that selects one SLO's series."""
    return f'{{{LABEL_ID}="{slo.sloth_id}"}}'
