"""A dashboard: rows of panels, variables, and what all of ours share."""

from __future__ import annotations

import json
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from scripts.dashboards.panels import DATASOURCE, RED, Panel

TAG = "fleetops"
PROMETHEUS_UID = "fleetops-prometheus"  # of the provisioned data source


@dataclass(frozen=True)
class Variable:
    """A choice at the top of the dashboard: the values of a label, the first of which is selected at first."""

    name: str
    title: str
    description: str
    query: str
    default: str


@dataclass(frozen=True)
class Row:
    """A titled row. Panels flow from left to right; each line of them fills the grid."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Board:
    """A dashboard of ours; its uid is its address and its file's name, so it never changes."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()

    def text(self) -> str:
        """The dashboard as Grafana imports it. The same on every run."""
        return json.dumps(self._model(), cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    def _model(self) -> dashboard.Dashboard:
        made = dashboards.Dashboard(self.title).uid(self.uid).description(self.description).tags([TAG]).editable()
        made = made.timezone("utc").time("now-30m", "now").refresh("10s")
        made = made.tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        made = made.link(_others()).annotation(_pages()).with_variable(_datasource())
        for variable in self.variables:
            made = made.with_variable(_query(variable))
        for row in self.rows:
            made = made.with_row(dashboards.Row(row.title))
            for panel in row.panels:
                made = made.with_panel(panel)
        return _numbered(made.build())


def _numbered(model: dashboard.Dashboard) -> dashboard.Dashboard:
    """Panel ids are part of links to a panel."""
    for number, panel in enumerate(model.panels or [], start=1):
        panel.id_val = number
    return model


def _others() -> dashboards.DashboardLink:
    link = dashboards.DashboardLink("FleetOps").type(dashboard.DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.icon("external link").tooltip("").url("").as_dropdown(False).keep_time(True).include_vars(False)


def _pages() -> dashboards.AnnotationQuery:
    """Marks the times when a page was firing in every chart."""
    query = dashboards.AnnotationQuery().name("Pages").datasource(DATASOURCE).enable(True).icon_color(RED)
    return query.expr('ALERTS{alertstate="firing",severity="page"}')


def _datasource() -> dashboards.DatasourceVariable:
    variable = dashboards.DatasourceVariable("datasource").type("prometheus").label("Prometheus")
    return variable.current(_option("FleetOps Prometheus", PROMETHEUS_UID))


def _query(variable: Variable) -> dashboards.QueryVariable:
    built = dashboards.QueryVariable(variable.name).label(variable.title).description(variable.description)
    built = built.datasource(DATASOURCE).query({"query": variable.query, "refId": variable.name})
    built = built.refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
    return built.sort(dashboard.VariableSort.ALPHABETICAL_ASC).current(_option(variable.default, variable.default))


def _option(text: str, value: str) -> dashboard.VariableOption:
    return dashboard.VariableOption(True, text, value)
