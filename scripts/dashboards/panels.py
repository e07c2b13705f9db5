"""Panels in one style: each has a title, a description, a unit and queries of the dashboard's data source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common as options
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.builders import heatmap as heatmaps
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, dashboard, heatmap
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

# The variable through which every panel finds its Prometheus, so that the files can be imported anywhere.
DATASOURCE = dashboard.DataSourceRef("prometheus", "${datasource}")
WINDOW = "$__rate_interval"  # at least four scrapes, longer when the dashboard shows a longer time
GRID = 24  # columns

GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "yellow", "orange", "red", "blue", "text"

Panel = Builder[dashboard.Panel]


@dataclass(frozen=True)
class Query:
    """A PromQL query with the legend of its series. `exemplars` shows dots, each of which opens a trace."""

    expr: str
    legend: str
    exemplars: bool = False

    def target(self, position: int, *, instant: bool = False) -> prometheus.Dataquery:
        """The query as a panel's target: over the dashboard's time, or at its end."""
        query = prometheus.Dataquery().ref_id(chr(ord("A") + position)).datasource(DATASOURCE)
        query = query.expr(self.expr).legend_format(self.legend).exemplar(self.exemplars)
        return query.instant() if instant else query.range()


@dataclass(frozen=True)
class Line:
    """A horizontal line in a chart: an objective or a limit, in the chart's unit."""

    value: float
    color: str = RED


def chart(
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Query],
    *,
    width: int = 12,
    lines: Sequence[Line] = (),
    maximum: float | None = None,
    minimum: float | None = 0,
    stacked: bool = False,
    logarithmic: bool = False,
    references: Sequence[str] = (),
) -> Panel:
    """Lines over time. `references` are legends of queries that are drawn dashed, such as an objective."""
    panel = timeseries.Panel().title(title).description(description).datasource(DATASOURCE).span(width).height(8)
    panel = panel.unit(unit).targets([query.target(position) for position, query in enumerate(queries)])
    panel = panel.line_width(1.5).fill_opacity(40 if stacked else 5).show_points(common.VisibilityMode.NEVER)
    panel = panel.legend(
        options.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
    ).tooltip(options.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING))
    panel = panel.thresholds(thresholds(GREEN, [(line.value, line.color) for line in lines]))
    style = common.GraphTresholdsStyleMode.DASHED if lines else common.GraphTresholdsStyleMode.OFF
    panel = panel.thresholds_style(options.GraphThresholdsStyleConfig().mode(style))
    if stacked:
        panel = panel.stacking(options.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if logarithmic:  # linear up to 1, so that 0 has a place
        scale = options.ScaleDistributionConfig().type(common.ScaleDistribution.SYMLOG).log(2).linear_threshold(1)
        panel = panel.scale_distribution(scale)
    if minimum is not None:
        panel = panel.min(minimum)
    if maximum is not None:
        panel = panel.max(maximum)
    for legend in references:
        panel = panel.override_by_name(
            legend,
            [
                dashboard.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 6]}),
                dashboard.DynamicConfigValue("custom.fillOpacity", 0),
                dashboard.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": ORANGE}),
            ],
        )
    return panel


def number(
    title: str,
    description: str,
    unit: str,
    query: Query,
    *,
    width: int = 4,
    base: str = GREY,
    steps: Sequence[tuple[float, str]] = (),
    decimals: int | None = None,
    texts: Mapping[float, tuple[str, str]] | None = None,
    missing: str = "no data",
) -> Panel:
    """The last value, coloured by `steps`: from each value on its colour, `base` below; `texts` replaces values.

    `missing` is shown when the query returns nothing.
    """
    panel = _stat(title, description, query, width).unit(unit).thresholds(thresholds(base, steps)).no_value(missing)
    if decimals is not None:
        panel = panel.decimals(decimals)
    return panel.mappings(mappings(texts)) if texts else panel


def label(title: str, description: str, query: Query, *, width: int = 4) -> Panel:
    """The legend of the series that the query returns: a state by its name."""
    panel = _stat(title, description, query, width).unit("none").thresholds(thresholds(BLUE, ()))
    return panel.text_mode(common.BigValueTextMode.NAME)


def _stat(title: str, description: str, query: Query, width: int) -> stat.Panel:
    panel = stat.Panel().title(title).description(description).datasource(DATASOURCE).span(width).height(4)
    panel = panel.with_target(query.target(0, instant=True)).graph_mode(common.BigValueGraphMode.NONE)
    reduce = options.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("")
    return panel.color_mode(common.BigValueColorMode.VALUE).reduce_options(reduce)


def states(
    title: str,
    description: str,
    queries: Sequence[Query],
    texts: Mapping[float, tuple[str, str]],
    *,
    width: int = 24,
    height: int = 8,
) -> Panel:
    """One bar for each series over time, whose values `texts` names and colours."""
    panel = statetimeline.Panel().title(title).description(description).datasource(DATASOURCE)
    panel = panel.span(width).height(height).unit("none").mappings(mappings(texts))
    panel = panel.targets([query.target(position) for position, query in enumerate(queries)])
    panel = panel.thresholds(thresholds(GREY, ())).show_value(common.VisibilityMode.NEVER)
    panel = panel.row_height(0.8).line_width(0).fill_opacity(80).merge_values(True)
    return panel.legend(
        options.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
    )


def distribution(title: str, description: str, unit: str, query: Query, *, width: int = 12) -> Panel:
    """A histogram over time as a heat map; the query sums its buckets by `le`."""
    panel = heatmaps.Panel().title(title).description(description).datasource(DATASOURCE).span(width).height(8)
    panel = panel.with_target(query.target(0).format(PromQueryFormat.HEATMAP)).calculate(False)
    colors = heatmaps.HeatmapColorOptions().mode(heatmap.HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
    return (
        panel.color(colors)
        .y_axis(heatmaps.YAxisConfig().unit(unit))
        .exemplars_color("rgba(0,120,255,0.9)")
        .show_tooltip()
    )


def thresholds(base: str, steps: Sequence[tuple[float, str]]) -> dashboards.ThresholdsConfig:
    """`base` below the first step, then the colour of each step from its value on."""
    listed = [dashboard.Threshold(None, base), *(dashboard.Threshold(value, color) for value, color in sorted(steps))]
    return dashboards.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(listed)


def mappings(texts: Mapping[float, tuple[str, str]]) -> list[dashboard.ValueMapping]:
    """Values that are shown as a text in a colour."""
    return [
        dashboard.ValueMap(
            {
                f"{value:g}": dashboard.ValueMappingResult(text, color, index=index)
                for index, (value, (text, color)) in enumerate(texts.items())
            }
        )
    ]
