"""Charts of recorded signals, each with a summary, a key, its data and its queries."""

from __future__ import annotations

import re

from lab import units
from lab.errors import LabError
from lab.site.render import html, svg
from lab.site.render.html import Markup
from lab.site.render.timeseries import Line, Mark, summary
from lab.site.sources.context import SiteContext
from lab.site.sources.records import Record

CLAIM = re.compile(r"[:;]\s")


def chart_id(ident: str, signal: str) -> str:
    """The id of a chart's figure; the ids of its marks are `<id>-t0` to `<id>-t8`."""
    return f"chart-{ident}-{signal}".lower().replace("_", "-")


def chart(context: SiteContext, ident: str, *names: str, title: str = "") -> Markup:
    """Recorded signals of an incident on one axis, with objective, alert band, graded instants, summary and data.

    `names` are the signals', in order; `title` defaults to their titles. Raises LabError for an unknown signal, and for
    a title that states a result after a colon or semicolon: a title names a quantity or asks a question.
    """
    if not names:
        raise LabError("chart() needs at least one signal's name")
    if CLAIM.search(title) and not title.endswith("?"):
        raise LabError(f"the chart's title {title!r} states a result; name a quantity or ask a question")
    record = context.records.read(ident)
    signals = [record.signal(name) for name in names]
    lines = [line for line, _, _ in signals]
    objective = next((value for _, value, _ in signals if value is not None), None)
    anchor = chart_id(ident, names[0])
    heading = title or ", ".join(line.title for line in lines)
    description = " ".join(summary(line, objective) for line in lines)
    bands = record.firing_spans(record.prediction.alert) if record.prediction.alert else []
    marks = record.marks() + record.changes()
    drawing = svg.chart(anchor, heading, description, lines, objective=objective, marks=marks, bands=bands)
    queries = Markup().join(
        Markup("<p>{}</p>{}").format(line.title, html.code_block(query, "promql")) for line, _, query in signals
    )
    return Markup(
        '<figure class="lab-chart" id="{}"><figcaption><span class="lab-chart__title">{}</span>{} Lab time, {}x.'
        "</figcaption>{}{}{}{}</figure>"
    ).format(
        anchor, heading, description, record.factor, drawing, _key(lines, objective, bool(bands), record, marks),
        html.details("Data table", _data(heading, lines)), html.details("Queries", queries),
    )  # fmt: skip


def _key(lines: list[Line], objective: float | None, band: bool, record: Record, marks: list[Mark]) -> Markup:
    sample = '<svg width="22" height="10" class="lab-chart__svg" aria-hidden="true">{}</svg>'
    parts = [
        Markup("<li>" + sample + "{}</li>").format(
            Markup('<polyline class="line line--{}" points="0,5 22,5"/>').format(index), line.title
        )
        for index, line in enumerate(lines)
    ]
    if objective is not None:
        dash = Markup('<line class="objective" x1="0" x2="22" y1="5" y2="5"/>')
        parts.append(Markup("<li>" + sample + "{}</li>").format(dash, svg.limit_word(lines[0].unit)))
    if band:
        block = Markup('<rect class="band" width="22" height="10"/>')
        parts.append(Markup("<li>" + sample + "{} firing</li>").format(block, record.prediction.alert))
    parts += [Markup("<li><b>{}</b> {}</li>").format(mark.label, mark.title) for mark in marks]
    return Markup('<ul class="lab-key">{}</ul>').format(Markup().join(parts))


def _data(heading: str, lines: list[Line]) -> Markup:
    columns = [dict(line.points) for line in lines]
    times = sorted({at for column in columns for at in column})
    rows = [
        (
            units.offset(at),
            *(units.quantity(column.get(at), line.unit) for column, line in zip(columns, lines, strict=True)),
        )
        for at in times
    ]
    return html.table(
        ("After injection", *(line.title for line in lines)), rows, label=f"Data of {heading}", numeric=True
    )


VIEWS = (chart,)
