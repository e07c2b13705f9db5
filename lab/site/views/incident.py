"""One incident on a page: its instants, figures, timeline and prediction, all read from its record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab import units
from lab.clients.documents import as_builtins
from lab.drills.schema import figures
from lab.drills.schema.record import Evidence
from lab.errors import LabError
from lab.site.render import html, timeseries
from lab.site.render.html import Markup
from lab.site.render.tiers import tier_words
from lab.site.render.timeseries import extremes
from lab.site.sources.context import SiteContext
from lab.site.sources.records import PHASES, Record
from lab.site.views import detection
from lab.site.views.charts import chart_id


def lab_note(context: SiteContext, ident: str) -> Markup:
    """When and by which responder an incident was recorded, and the factor of its lab times."""
    record = context.records.read(ident)
    return Markup('<p class="lab-note">Recorded {} by responder {}; lab time, {}x; evidence {}.</p>').format(
        units.minute(record.data.started_at),
        html.code(record.data.responder),
        record.factor,
        _evidence_link(context, record),
    )


def _evidence_link(context: SiteContext, record: Record) -> Markup:
    return html.link(context.href(record.path), record.path)


def moment(context: SiteContext, ident: str, kind: str) -> str:
    """Time from the injection to the graded event of a kind, as text: `17.4 s`.

    Raises LabError that lists the record's kinds of events.
    """
    return units.tenths(_at(context.records.read(ident), kind))


def between(context: SiteContext, ident: str, start: str, end: str) -> str:
    """Time between the graded events of two kinds, as text."""
    record = context.records.read(ident)
    return units.tenths(_at(record, end) - _at(record, start))


def _at(record: Record, kind: str) -> float:
    event = record.first(kind)
    if event is None:
        raise LabError(f"record {record.ident} has no {kind!r} event; it has {', '.join(_kinds(record))}")
    return float(event.t_seconds)


def _kinds(record: Record) -> list[str]:
    return list(dict.fromkeys(event.kind for event in record.timeline))


def before(context: SiteContext, ident: str, name: str) -> str:
    """The usual value of a signal before the fault, in its unit; `no data` without a sample."""
    return timeseries.before(context.records.read(ident).signal(name)[0])


def worst(context: SiteContext, ident: str, name: str) -> str:
    """The value of a signal at its worst after the fault, in its unit: the highest, or the lowest if low is bad."""
    line, objective, _ = context.records.read(ident).signal(name)
    return units.quantity(extremes(line, objective)[1], line.unit)


def at_worst(context: SiteContext, ident: str, name: str, thing: str, *, opening: bool = False) -> str:
    """The subject of a sentence on a ratio: `at worst 4 % of feed requests`, or `no feed request` when it stayed 0.

    `thing` is singular, `feed request`; with `opening` it starts its sentence. The verb must suit both: `failed`.
    """
    line, objective, _ = context.records.read(ident).signal(name)
    ratio = extremes(line, objective)[1]
    text = f"at worst {units.quantity(ratio, line.unit)} of {thing}s" if ratio else f"no {thing}"
    return text[0].upper() + text[1:] if opening else text


def facts(context: SiteContext, ident: str) -> Markup:
    """The main times of an incident in large type: alert predicted, page delivered, mitigated and recovered."""
    record = context.records.read(ident)
    shown = [
        ("Alert predicted", float(record.prediction.detection_seconds)),
        ("Page delivered" if record.alert_is_page else "Ticket delivered", _at(record, "page")),
    ]
    # Without an SLO at stake the incident ends when its alert resolves.
    last = "recovered" if record.first("recovered") else "resolved"
    for title, kind in (("Mitigated", "action"), ({"recovered": "SLI recovered"}.get(last, "Alert resolved"), last)):
        if record.first(kind):
            shown.append((title, _at(record, kind)))
    cells = Markup().join(
        Markup('<div><span class="lab-fact__name">{}</span><span class="lab-fact__value">T+{}</span></div>').format(
            name, units.tenths(value)
        )
        for name, value in shown
    )
    return Markup('<div class="lab-facts">{}</div>').format(cells) + lab_note(context, ident)


def recorded_day(context: SiteContext, ident: str) -> str:
    """The date of a record, `2026-11-23`."""
    return units.day(context.records.read(ident).data.started_at)


def fact(context: SiteContext, ident: str, path: str) -> str:
    """One plain value of a record by its dotted path, `lab.cores`. Raises LabError when there is none."""
    value: Any = as_builtins(context.records.read(ident).data)
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            raise LabError(f"record {ident} has no {path!r}")
        value = value[key]
    return units.number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def timeline(context: SiteContext, ident: str, signal: str = "") -> Markup:
    """The events of an incident: time, graded instant, event, actor and evidence.

    Each row links to its instant in the console's replay. With the name of a `signal` whose chart is on the same page,
    each graded instant links to its mark on that chart.
    """
    record = context.records.read(ident)
    rows = []
    for event in record.timeline:
        phase = PHASES[event.kind][0] if event.kind in PHASES and record.first(event.kind) is event else ""
        offset = event.t_seconds
        detail = Markup("<br>{}").format(html.breakable(tier_words(event.detail))) if event.detail else ""
        instant = html.link(
            f"{context.href('lab.md')}?replay={ident}&t={offset:.1f}",
            f"T{units.tenths(offset) if offset < 0 else '+' + units.tenths(offset)}",
        )
        rows.append(
            (
                Markup("{}<br><small>{}</small>").format(instant, units.clock(event.at)),
                _to_chart(ident, signal, phase), Markup("<b>{}</b>{}").format(event.title, detail),
                event.by, _evidence(context, record, event.evidence),
            )
        )  # fmt: skip
    head = ("After injection, UTC", "Instant", "Event", "By", "Evidence")
    return html.table(head, rows, label=f"Timeline of {ident}, lab time {record.factor}x") + lab_note(context, ident)


def _to_chart(ident: str, signal: str, phase: str) -> object:
    if not phase or not signal:
        return phase
    return html.link(f"#{chart_id(ident, signal)}-{phase.lower()}", phase)


def _evidence(context: SiteContext, record: Record, evidence: Evidence | None) -> object:
    """The evidence of a row: a JSON pointer into the record, or the query that shows it at that instant."""
    if evidence is None:
        return ""
    if evidence.pointer:
        return html.link(context.href(record.path), html.code(evidence.pointer))
    return html.code(evidence.query or "", wrap=True)


def durations(context: SiteContext, ident: str) -> Markup:
    """Every measured duration of an incident with its definition."""
    record = context.records.read(ident)
    means = {figure.key: (figure.name, figure.means) for figure in figures.FIGURES}
    means["mtta_seconds"] = (figures.acknowledgement(record.data.responder), means["mtta_seconds"][1])
    means["run_seconds"] = ("Run", figures.RUN_MEANS)
    rows = [
        (Markup("<b>{}</b><br><small>{}</small>").format(*means[key]), detection.shown(value))
        for key, value in as_builtins(record.data.durations).items()
    ]
    return html.table(("Duration", f"Measured (lab time, {record.factor}x)"), rows, label="Durations", numeric=True)


def prediction(context: SiteContext, ident: str) -> Markup:
    """The detection of an incident: predicted before the fault, computed from the record's counts, and measured."""
    record = context.records.read(ident)
    due, measured = record.prediction, detection.of(record)
    paged = _at(record, "page")
    allowance, stretch, severity = due.allowance_seconds, due.tolerance_ratio, due.severity
    met = paged <= due.latest_seconds
    rows = [
        (f"Alert expected, as a {severity}", html.link(context.runbook(due.alert), due.alert)),
        ("Predicted before the fault: alert firing", detection.predicted(measured)),
        *([("Allowed, since its inputs are random", f"{stretch:g} times the prediction")] if stretch > 1 else []),
        *([("Computed from the recorded counts", detection.shown(measured.computed))] if measured.tier else []),
        *([("By tier", tier_words(measured.tier))] if measured.tier else []),
        *([("Bad ratio, assumed", units.percent(measured.assumed))] if measured.assumed is not None else []),
        *([("Bad ratio, observed", units.percent(measured.observed))] if measured.observed is not None else []),
        ("Measured: alert firing", detection.shown(measured.measured)),
        (
            "Allowed in all from the first bad request to the pager (scrape, evaluations, grouping)",
            units.seconds(allowance),
        ),
        (f"Measured: {severity} delivered", units.tenths(paged)),
        (f"{severity.capitalize()} within prediction and allowances", _met(measured, allowance, met)),
    ]
    steps = Markup("<ol>{}</ol>").format(
        Markup().join(Markup("<li>{}</li>").format(tier_words(step)) for step in due.arithmetic)
    )
    table = html.table(("Detection", f"Lab time, {record.factor}x"), rows, label="Detection, predicted and measured")
    return table + html.details("How the prediction is computed", steps)


def _met(measured: detection.Detection, allowance: float, met: bool) -> Markup:
    """Whether the page came in time, and whether the alert fired well before a prediction that no bound explains."""
    if not met:
        return html.badge("bad", "no")
    if measured.measured is None or measured.measured > measured.predicted:
        return html.badge("ok", "yes")
    early = units.tenths(measured.predicted - measured.measured)
    if measured.bound:
        return html.badge("ok", f"yes, fired {early} before the bound")
    if measured.predicted - measured.measured > allowance:
        return html.badge("warn", f"yes, but fired {early} earlier than predicted")
    return html.badge("ok", "yes")


def figure_means(_context: SiteContext, key: str) -> str:
    """The definition of an incident's figure, by its key in a record. Raises LabError that lists the keys."""
    means = {figure.key: figure.means for figure in figures.FIGURES}
    means |= {"run_seconds": figures.RUN_MEANS, "budget_spent_ratio": figures.BUDGET_MEANS}
    if key not in means:
        raise LabError(f"no figure {key!r}; it must be one of {', '.join(means)}")
    return means[key]


VIEWS = (
    figure_means, moment, between, before, worst, at_worst, facts, recorded_day, fact, timeline, durations, prediction,
)  # fmt: skip
