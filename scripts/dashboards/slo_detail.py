"""The dashboard of one SLO: the SLI against its objective, the budget, the burn by window, and its alerts."""

from __future__ import annotations

from lab.slo.catalogue import load_specs
from scripts.dashboards import limits, slo_queries
from scripts.dashboards.board import Board, Row, Variable
from scripts.dashboards.panels import GREEN, RED, Line, Panel, Query, chart, number, states

UID = "fleetops-slo-detail"
ONE = 'sloth_id="$slo"'


def board() -> Board:
    """The dashboard."""
    default = next(slo.sloth_id for slo in load_specs() if slo.name == "latency-p99")
    return Board(
        UID,
        "SLO detail",
        "One SLO: whether it meets its objective, how much error budget is left, and which window burns it.",
        (
            Row("$slo", _now()),
            Row("Objective and budget", (_sli(), _budget())),
            Row("Burn rate and alerts", (_burn(), _events(), _history())),
        ),
        (
            Variable(
                "slo",
                "SLO",
                "The SLO, by its id: service and name.",
                "label_values(slo:objective:ratio, sloth_id)",
                default,
            ),
        ),
    )


def _now() -> tuple[Panel, ...]:
    return (
        number(
            "Objective",
            "The part of events that must be good over the SLO period.",
            "percentunit",
            Query(f"slo:objective:ratio{{{ONE}}}", "objective"),
            decimals=2,
        ),
        number(
            "SLI now",
            "The part of good events in the shortest window.",
            "percentunit",
            Query(slo_queries.sli(ONE), "SLI"),
            decimals=2,
        ),
        number(
            "SLI of the period",
            "The part of good events over the whole SLO period, by events. Missing history counts as good.",
            "percentunit",
            Query(slo_queries.sli_of_period(ONE), "SLI"),
            decimals=2,
        ),
        number(
            "Error budget left",
            "What is left of the bad events that the objective allows in the period. The colours are the states of the "
            "error-budget policy.",
            "percentunit",
            Query(f"slo:period_error_budget_remaining:ratio{{{ONE}}}", "budget left"),
            base=RED, steps=limits.budget_steps(), decimals=1,
        ),
        number(
            "Burn rate",
            "How fast the budget is spent in the shortest window. 1 spends it exactly in the period.",
            "suffix:x",
            Query(f"slo:current_burn_rate:ratio{{{ONE}}}", "burn rate"),
            base=GREEN, steps=limits.burn_steps(),
            decimals=1,
        ),
        number(
            "Alert",
            "The most severe alert of this SLO that is firing.",
            "none",
            Query(slo_queries.alert_state(ONE), "alert"),
            texts=slo_queries.ALERT_STATES,
        ),
    )  # fmt: skip


def _sli() -> Panel:
    return chart(
        "SLI against the objective",
        "The part of good events in the shortest window, and the objective, which applies to the whole period: a dip "
        "below it spends error budget, but misses nothing yet.",
        "percentunit",
        [Query(slo_queries.sli(ONE), "SLI"), Query(f"slo:objective:ratio{{{ONE}}}", "objective")],
        minimum=None, maximum=1, references=["objective"],
    )  # fmt: skip


def _budget() -> Panel:
    return chart(
        "Error budget burn-down",
        "What is left of the budget of the whole period. It falls with bad events and rises when old ones leave the "
        "period. The lines are the bounds of the error-budget policy; at 0 the objective is missed.",
        "percentunit",
        [Query(f"slo:period_error_budget_remaining:ratio{{{ONE}}}", "budget left")],
        lines=[Line(0), *(Line(value, color) for value, color in limits.budget_steps() if value)],
        minimum=None, maximum=1,
    )  # fmt: skip


def _burn() -> Panel:
    return chart(
        "Burn rate by window",
        "The burn rate in every window of the alerts. An alert fires when the short and the long window of one tier "
        "are both above its line: red for pages, orange for tickets. A long window rises slowly and confirms the burn; "
        "a short one falls quickly and clears the alert.",
        "suffix:x",
        [Query(slo_queries.burn_by_window(ONE), "{{sloth_window}}")],
        lines=limits.burn_rates(), logarithmic=True,
    )  # fmt: skip


def _events() -> Panel:
    return chart(
        "Events",
        "The events that the SLI counts, and the bad ones among them, in the shortest window. With few events, a few "
        "failures are a high ratio: an alert also needs a minimum of bad events.",
        "reqps",
        [Query(slo_queries.events(ONE), "all"), Query(slo_queries.bad_events(ONE), "bad")],
    )


def _history() -> Panel:
    return states(
        "Alert history",
        "When a page or a ticket of this SLO was firing.",
        [Query(slo_queries.alert_state(ONE), "$slo")],
        slo_queries.ALERT_STATES,
        height=4,
    )
