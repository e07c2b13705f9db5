"""The dashboard of all SLOs: which are at risk, how fast they burn, and what fired when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common as options
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from scripts.dashboards import limits, slo_queries
from scripts.dashboards.board import Board, Row
from scripts.dashboards.panels import (
    DATASOURCE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    YELLOW,
    Line,
    Panel,
    Query,
    chart,
    number,
    states,
    thresholds,
)
from scripts.dashboards.slo_detail import UID as DETAIL_UID

OPEN = f"/d/{DETAIL_UID}?var-slo=${{__value.raw}}&${{__url_time_range}}"


def board() -> Board:
    """The dashboard."""
    return Board(
        "fleetops-slo-overview",
        "SLO overview",
        "Every SLO on one page: error budgets, burn rates and alerts. Select an SLO in the table to see its details.",
        (Row("Now", (*_now(), _table())), Row("Over time", (_budgets(), _burn(), _history(), _platform()))),
    )


def _now() -> tuple[Panel, ...]:
    firing = ((1, RED),)
    return (
        number(
            "Pages firing",
            "Alerts that page and are firing now, of SLOs and of the platform. The pager has who acknowledged them.",
            "none",
            Query('count(ALERTS{alertstate="firing",severity="page"}) or vector(0)', "pages"),
            width=6, base=GREEN, steps=firing,
        ),
        number(
            "Tickets firing",
            "Alerts that open a ticket and are firing now. Nobody is woken, but budget or headroom is being lost.",
            "none",
            Query('count(ALERTS{alertstate="firing",severity="ticket"}) or vector(0)', "tickets"),
            width=6, base=GREEN, steps=((1, ORANGE),),
        ),
        number(
            "SLOs burning too fast",
            "SLOs that spend error budget faster than the period allows: at a burn rate above 1, the budget runs out "
            "before the period ends.",
            "none",
            Query("count(slo:current_burn_rate:ratio > 1) or vector(0)", "SLOs"),
            width=6, base=GREEN, steps=((1, YELLOW),),
        ),
        number(
            "Lowest error budget",
            "What is left of the error budget of the SLO that has the least. The colours are the states of the "
            "error-budget policy: below 0, the objective of the period is missed.",
            "percentunit",
            Query("min(slo:period_error_budget_remaining:ratio)", "budget left"),
            width=6, base=RED, steps=limits.budget_steps(), decimals=1,
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class _Column:
    title: str
    expr: str
    unit: str = "percentunit"
    base: str = GREY
    steps: Sequence[tuple[float, str]] = ()

    def properties(self) -> list[dashboard.DynamicConfigValue]:
        """The field configuration of the column."""
        settings: dict[str, object] = {"unit": self.unit, "decimals": 2}
        if self.steps:
            settings["thresholds"] = thresholds(self.base, self.steps).build()
            settings["custom.cellOptions"] = {"type": "color-text"}
        return [dashboard.DynamicConfigValue(name, value) for name, value in settings.items()]


def _table() -> Panel:
    columns = (
        _Column("Objective", "slo:objective:ratio"),
        _Column("SLI now", slo_queries.sli()),
        _Column("SLI of the period", slo_queries.sli_of_period()),
        _Column("Burn rate", "slo:current_burn_rate:ratio", "suffix:x", GREEN, limits.burn_steps()),
        _Column("Budget left", "slo:period_error_budget_remaining:ratio", "percentunit", RED, limits.budget_steps()),
    )
    queries = [
        Query(f"max by (sloth_id, sloth_service, sloth_slo) ({column.expr})", column.title) for column in columns
    ]
    panel = table.Panel().title("SLOs").datasource(DATASOURCE).span(24).height(8)
    panel = panel.description(
        "Each SLO with its objective, the SLI of the shortest window and of the whole period, how fast it spends its "
        "error budget, and what is left. A burn rate of 1 spends the budget exactly by the end of the period."
    )
    panel = panel.targets(
        [query.target(at, instant=True).format(PromQueryFormat.TABLE) for at, query in enumerate(queries)]
    )
    for column in columns:
        panel = panel.override_by_name(column.title, column.properties())
    link = dashboards.DashboardLink("Details of this SLO").url(OPEN)
    panel = panel.override_by_name("SLO", [dashboard.DynamicConfigValue("links", [link.build()])])
    names = {f"Value #{chr(ord('A') + at)}": column.title for at, column in enumerate(columns)}
    merged = {
        "excludeByName": {"Time": True, "sloth_slo": True},
        "indexByName": {name: at for at, name in enumerate(["sloth_id", "sloth_service", *names])},
        "renameByName": {"sloth_id": "SLO", "sloth_service": "Service", **names},
    }
    panel = panel.with_transformation(dashboard.DataTransformerConfig("merge", options={}))
    panel = panel.with_transformation(dashboard.DataTransformerConfig("organize", options=merged))
    return panel.sort_by([options.TableSortByFieldState().display_name("Budget left").desc(False)])


def _budgets() -> Panel:
    return chart(
        "Error budget left",
        "What is left of the budget of the whole SLO period. The lines are the bounds of the error-budget policy; at 0 "
        "the objective of the period is missed.",
        "percentunit",
        [Query("slo:period_error_budget_remaining:ratio", "{{sloth_id}}")],
        lines=[Line(0), *(Line(value, color) for value, color in limits.budget_steps() if value)],
        minimum=None, maximum=1,
    )  # fmt: skip


def _burn() -> Panel:
    return chart(
        "Burn rate",
        "How fast each SLO spends its error budget in the shortest window; 1 spends it exactly in the period. The "
        "lines are the rates at which a page (red) or a ticket (orange) fires when longer windows confirm them.",
        "suffix:x",
        [Query("slo:current_burn_rate:ratio", "{{sloth_id}}")],
        lines=limits.burn_rates(), logarithmic=True,
    )  # fmt: skip


def _history() -> Panel:
    return states(
        "Alert history",
        "When a page or a ticket of each SLO was firing. An open page inhibits the tickets of its SLO, so it is shown "
        "alone.",
        [Query(slo_queries.alert_state('sloth_id!=""'), "{{sloth_id}}")],
        slo_queries.ALERT_STATES,
    )


def _platform() -> Panel:
    return states(
        "Platform alerts",
        "When each alert that belongs to no SLO was firing. The Watchdog always fires, without a severity: it proves "
        "that alerts are evaluated.",
        [Query(slo_queries.alert_state('sloth_id=""', by="alertname"), "{{alertname}}")],
        slo_queries.ALERT_STATES,
    )
