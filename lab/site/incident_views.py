"""One incident on a page, all of it from its record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.errors import LabError
from lab.site import html, svg, units
from lab.site.book import Book
from lab.site.html import Markup
from lab.site.records import PHASES, Record
from lab.site.series import Line, extremes, summary

DURATION_TITLES = {
    "detection": "Detection, fault to firing alert",
    "page": "Fault to page delivered",
    "mtta": "Page to acknowledgement (MTTA)",
    "diagnosis": "Page to diagnosis",
    "mitigation": "Fault to mitigating action (MTTM)",
    "mttm": "Fault to mitigating action (MTTM)",
    "recovery": "Fault to recovered SLI (MTTR)",
    "mttr": "Fault to recovered SLI (MTTR)",
    "resolved": "Fault to resolved alert",
}


def lab_note(book: Book, ident: str) -> Markup:
    """When and how an incident was recorded; the factor that goes with all its times."""
    record = book.records.read(ident)
    return Markup('<p class="lab-note">Recorded {} by responder {}; lab time, {}x; evidence {}.</p>').format(
        units.minute(record["started_at"]), html.code(record["responder"]), record.factor, _evidence_link(book, record)
    )


def _evidence_link(book: Book, record: Record) -> Markup:
    return html.link(book.href(record.path), record.path)


def moment(book: Book, ident: str, kind: str) -> str:
    """Seconds from injection to the first event of a kind, for a sentence: `17.4 s`."""
    return units.seconds(_at(book.records.read(ident), kind))


def record_seconds(book: Book, ident: str, kind: str) -> float:
    """The same as a number, for arithmetic in a page."""
    return _at(book.records.read(ident), kind)


def between(book: Book, ident: str, start: str, end: str) -> str:
    """Time between the first events of two kinds."""
    record = book.records.read(ident)
    return units.seconds(_at(record, end) - _at(record, start))


def _at(record: Record, kind: str) -> float:
    event = record.first(kind)
    if event is None:
        raise LabError(f"record {record.ident} has no {kind!r} event; it has {', '.join(_kinds(record))}")
    return float(event["t_seconds"])


def _kinds(record: Record) -> list[str]:
    return list(dict.fromkeys(event["kind"] for event in record.timeline))


def _extremes(book: Book, ident: str, name: str) -> tuple[float, float, float, str]:
    line, objective, _ = book.records.read(ident).signal(name)
    return *extremes(line, objective), line.unit


def before(book: Book, ident: str, name: str) -> str:
    """A signal's usual value before the fault."""
    base, _, _, unit = _extremes(book, ident, name)
    return units.quantity(base, unit)


def worst(book: Book, ident: str, name: str) -> str:
    """A signal at its worst."""
    _, peak, _, unit = _extremes(book, ident, name)
    return units.quantity(peak, unit)


def at_end(book: Book, ident: str, name: str) -> str:
    """A signal's last value."""
    _, _, last, unit = _extremes(book, ident, name)
    return units.quantity(last, unit)


def facts(book: Book, ident: str) -> Markup:
    """Four figures of an incident, large: predicted, paged, mitigated, recovered."""
    record = book.records.read(ident)
    foretold = float(record["prediction"]["detection_seconds"])
    shown = (
        ("Alert due, by arithmetic", foretold, "T+"),
        ("Page delivered", _at(record, "page"), "T+"),
        ("Mitigated", _at(record, "action"), "T+"),
        ("SLI recovered", _at(record, "recovered"), "T+"),
    )
    cells = Markup().join(
        Markup('<div><span class="lab-fact__name">{}</span><span class="lab-fact__value">{}{}</span></div>').format(
            name, sign, units.seconds(value)
        )
        for name, value, sign in shown
    )
    return Markup('<div class="lab-facts">{}</div>').format(cells) + lab_note(book, ident)


def recorded_day(book: Book, ident: str) -> str:
    """The date of a record."""
    return units.day(book.records.read(ident)["started_at"])


def fact(book: Book, ident: str, path: str) -> str:
    """One plain value of a record by its dotted path, for a sentence."""
    value: Any = book.records.read(ident).data
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            raise LabError(f"record {ident} has no {path!r}")
        value = value[key]
    return units.number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def timeline(book: Book, ident: str) -> Markup:
    """The incident's events: clock, T+, phase, what happened, by whom, evidence."""
    record = book.records.read(ident)
    graded: dict[str, str] = {}
    rows = []
    for event in record.timeline:
        phase = PHASES.get(event["kind"])
        label: object = ""
        if phase and event["kind"] not in graded:
            graded[event["kind"]] = phase[0]
            label = Markup('<b id="{}-{}">{}</b>').format(f"event-{ident.lower()}", phase[0].lower(), phase[0])
        offset = float(event["t_seconds"])
        sign = "" if offset < 0 else "+"
        rows.append(
            (
                f"T{sign}{units.seconds(offset)}", units.clock(event["at"]), label,
                Markup("<b>{}</b><br>{}").format(event["title"], event.get("detail") or ""),
                event.get("by") or "", _evidence(book, record, event.get("evidence")),
            )
        )  # fmt: skip
    head = ("After injection", "UTC", "Phase", "Event", "By", "Evidence")
    table = html.table(head, rows, label=f"Timeline of {ident}, lab time {record.factor}x", row_heads=True)
    return table + lab_note(book, ident)


def _evidence(book: Book, record: Record, evidence: Any) -> object:
    """The row's proof: the recorded sample, log line or command it was read from."""
    if not evidence:
        return ""
    text = evidence if isinstance(evidence, str) else ", ".join(f"{key} {value}" for key, value in evidence.items())
    return html.link(book.href(record.path), text)


def durations(book: Book, ident: str) -> Markup:
    """Every measured duration, beside the production time it stands for and, for detection, the prediction."""
    record = book.records.read(ident)
    rows = []
    for key, value in record["durations"].items():
        name = key.removesuffix("_seconds")
        shown = units.ABSENT if value is None else units.seconds(float(value))
        rows.append((DURATION_TITLES.get(name, name.replace("_", " ").capitalize()), shown))
    return html.table(("Duration", f"Measured (lab time, {record.factor}x)"), rows, label="Durations", numeric=True)


def prediction(book: Book, ident: str) -> Markup:
    """Detection as the arithmetic predicts it against what was measured."""
    record = book.records.read(ident)
    foretold = record["prediction"]
    paged = _at(record, "page")
    allowance = float(foretold["allowance_seconds"])
    expected = float(foretold["detection_seconds"])
    met = paged <= expected + allowance
    rows = [
        ("Alert that must page", html.link(book.runbook(foretold["alert"]), foretold["alert"])),
        ("Predicted, alert firing", units.seconds(expected)),
        ("Allowed on top (scrape, evaluations, grouping)", units.seconds(allowance)),
        ("Measured, page delivered", units.seconds(paged)),
        ("Inside the prediction", html.badge("ok" if met else "bad", "yes" if met else "no")),
    ]
    steps = Markup("<ol>{}</ol>").format(
        Markup().join(Markup("<li>{}</li>").format(step) for step in foretold["arithmetic"])
    )
    table = html.table(("Detection", f"Lab time, {record.factor}x"), rows, label="Detection, predicted and measured")
    return table + html.details("How the prediction is computed", steps)


def chart(book: Book, ident: str, *names: str, title: str = "") -> Markup:
    """One or more recorded signals on one axis, with objective, alert band, phase marks, summary and data."""
    if not names:
        raise LabError("chart() needs at least one signal's name")
    record = book.records.read(ident)
    read = [record.signal(name) for name in names]
    lines = [line for line, _, _ in read]
    objective = next((value for _, value, _ in read if value is not None), None)
    anchor = f"chart-{ident}-{names[0]}".lower().replace("_", "-")
    heading = title or ", ".join(line.title for line in lines)
    words = " ".join(summary(line, objective) for line in lines)
    bands = record.firing_spans(record["prediction"]["alert"]) if record["prediction"]["alert"] else []
    marks = record.marks()
    drawing = svg.chart(anchor, heading, words, lines, objective=objective, marks=marks, bands=bands)
    queries = Markup().join(
        Markup("<p>{}</p>{}").format(line.title, html.code_block(query, "promql")) for line, _, query in read
    )
    return Markup(
        '<figure class="lab-chart" id="{}"><figcaption><span class="lab-chart__title">{}</span>{} Lab time, {}x.'
        "</figcaption>{}{}{}{}</figure>"
    ).format(
        anchor, heading, words, record.factor, drawing, _key(lines, objective, bool(bands), record),
        html.details("Data table", _data(heading, lines)), html.details("Queries", queries),
    )  # fmt: skip


def _key(lines: list[Line], objective: float | None, band: bool, record: Record) -> Markup:
    sample = '<svg width="22" height="10" class="lab-chart__svg" aria-hidden="true">{}</svg>'
    parts = [
        Markup("<li>" + sample + "{}</li>").format(
            Markup('<polyline class="line line--{}" points="0,5 22,5"/>').format(index), line.title
        )
        for index, line in enumerate(lines)
    ]
    if objective is not None:
        dash = Markup('<line class="objective" x1="0" x2="22" y1="5" y2="5"/>')
        parts.append(Markup("<li>" + sample + "objective</li>").format(dash))
    if band:
        block = Markup('<rect class="band" width="22" height="10"/>')
        parts.append(Markup("<li>" + sample + "{} firing</li>").format(block, record["prediction"]["alert"]))
    parts += [Markup("<li><b>{}</b> {}</li>").format(mark.label, mark.title) for mark in record.marks()]
    return Markup('<ul class="lab-key">{}</ul>').format(Markup().join(parts))


def _data(heading: str, lines: list[Line]) -> Markup:
    columns = [dict(line.points) for line in lines]
    times = sorted({at for column in columns for at in column})
    rows = [
        (
            f"{at:+.0f} s",
            *(units.quantity(column.get(at), line.unit) for column, line in zip(columns, lines, strict=True)),
        )
        for at in times
    ]
    return html.table(
        ("After injection", *(line.title for line in lines)), rows, label=f"Data of {heading}", numeric=True
    )


VIEWS = (
    lab_note, moment, record_seconds, between, before, worst, at_end, facts, recorded_day, fact, timeline, durations, prediction, chart,
)  # fmt: skip
