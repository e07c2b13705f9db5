"""One incident on a page, all of it from its record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab import units
from lab.drills.evidence import definitions
from lab.errors import LabError
from lab.site.render import html, timeseries
from lab.site.render.html import Markup
from lab.site.render.timeseries import extremes
from lab.site.sources.context import Book
from lab.site.sources.records import PHASES, Record
from lab.site.views import detection
from lab.site.views.charts import chart_id


def lab_note(book: Book, ident: str) -> Markup:
    """When and how an incident was recorded; the factor that goes with all its times."""
    record = book.records.read(ident)
    return Markup('<p class="lab-note">Recorded {} by responder {}; lab time, {}x; evidence {}.</p>').format(
        units.minute(record["started_at"]),
        html.code(record["responder"]),
        record.factor,
        _evidence_link(book, record),
    )


def _evidence_link(book: Book, record: Record) -> Markup:
    return html.link(book.href(record.path), record.path)


def moment(book: Book, ident: str, kind: str) -> str:
    """Seconds from injection to the first event of a kind, for a sentence: `17.4 s`."""
    return units.seconds(_at(book.records.read(ident), kind))


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


def before(book: Book, ident: str, name: str) -> str:
    """A signal's usual value before the fault; `no data` where it had none."""
    return timeseries.before(book.records.read(ident).signal(name)[0])


def worst(book: Book, ident: str, name: str) -> str:
    """The value of a signal at its worst after the fault, in its unit: the highest, or the lowest if low is bad."""
    line, objective, _ = book.records.read(ident).signal(name)
    return units.quantity(extremes(line, objective)[1], line.unit)


def facts(book: Book, ident: str) -> Markup:
    """The figures of an incident, large: predicted, told, mitigated, over; those of them that happened."""
    record = book.records.read(ident)
    shown = [
        ("Alert due, by arithmetic", float(record["prediction"]["detection_seconds"])),
        ("Page delivered" if record.told_by_page else "Ticket delivered", _at(record, "page")),
    ]
    # Where no SLO was at stake, it was over when the alert was.
    last = "recovered" if record.first("recovered") else "resolved"
    for title, kind in (("Mitigated", "action"), ({"recovered": "SLI recovered"}.get(last, "Alert resolved"), last)):
        if record.first(kind):
            shown.append((title, _at(record, kind)))
    cells = Markup().join(
        Markup('<div><span class="lab-fact__name">{}</span><span class="lab-fact__value">T+{}</span></div>').format(
            name, units.seconds(value)
        )
        for name, value in shown
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


def timeline(book: Book, ident: str, signal: str = "") -> Markup:
    """The incident's events: when, which phase, what happened, by whom, and what it was read from.

    Each row leads to its instant in the console's replay; with the name of a signal whose chart is on the same page,
    each phase leads to its mark on that chart.
    """
    record = book.records.read(ident)
    rows = []
    for event in record.timeline:
        phase = PHASES[event["kind"]][0] if event["kind"] in PHASES and record.first(event["kind"]) is event else ""
        offset = float(event["t_seconds"])
        detail = Markup("<br>{}").format(html.breakable(event["detail"])) if event["detail"] else ""
        instant = html.link(
            f"{book.href('lab.md')}?replay={ident}&t={offset:.1f}",
            f"T{units.seconds(offset) if offset < 0 else '+' + units.seconds(offset)}",
        )
        rows.append(
            (
                Markup("{}<br><small>{}</small>").format(instant, units.clock(event["at"])),
                _to_chart(ident, signal, phase), Markup("<b>{}</b>{}").format(event["title"], detail),
                event["by"], _evidence(book, record, event["evidence"]),
            )
        )  # fmt: skip
    head = ("After injection, UTC", "Phase", "Event", "By", "Read from")
    return html.table(head, rows, label=f"Timeline of {ident}, lab time {record.factor}x") + lab_note(book, ident)


def _to_chart(ident: str, signal: str, phase: str) -> object:
    if not phase or not signal:
        return phase
    return html.link(f"#{chart_id(ident, signal)}-{phase.lower()}", phase)


def _evidence(book: Book, record: Record, evidence: dict[str, str] | None) -> object:
    """The row's proof: a place in the record, or the query to ask at that instant."""
    if not evidence:
        return ""
    if "pointer" in evidence:
        return html.link(book.href(record.path), html.code(evidence["pointer"]))
    return html.code(evidence["query"], wrap=True)


def durations(book: Book, ident: str) -> Markup:
    """Every measured duration of an incident, and what it means."""
    record = book.records.read(ident)
    means = {one.key: (one.name, one.means) for one in definitions.FIGURES}
    means["mtta_seconds"] = (definitions.acknowledgement(record["responder"]), means["mtta_seconds"][1])
    means["run_seconds"] = ("Run", definitions.RUN_MEANS)
    rows = [
        (Markup("<b>{}</b><br><small>{}</small>").format(*means[key]), detection.shown(value))
        for key, value in record["durations"].items()
    ]
    return html.table(("Duration", f"Measured (lab time, {record.factor}x)"), rows, label="Durations", numeric=True)


def prediction(book: Book, ident: str) -> Markup:
    """Detection as the arithmetic predicts it, as the record's counts make it, and as it was measured."""
    record = book.records.read(ident)
    due, found = record["prediction"], detection.of(record)
    paged = _at(record, "page")
    allowance, expected = float(due["allowance_seconds"]), float(due["detection_seconds"])
    stretch = float(due["tolerance_ratio"])
    met = paged <= expected * stretch + allowance
    severity = due["severity"]
    rows = [
        (f"Alert that must come as a {severity}", html.link(book.runbook(due["alert"]), due["alert"])),
        ("Predicted before the fault, alert firing", detection.predicted(found)),
        *([("Its inputs are chance: in time up to", f"{stretch:g} times that")] if stretch > 1 else []),
        *([("Computed from the recorded counts", detection.shown(found.computed))] if found.tier else []),
        *([("By tier", found.tier)] if found.tier else []),
        *([("Bad ratio, assumed", units.percent(found.assumed))] if found.assumed is not None else []),
        *([("Bad ratio, observed", units.percent(found.observed))] if found.observed is not None else []),
        ("Measured, alert firing", detection.shown(found.measured)),
        ("Allowed from there to the pager (scrape, evaluations, grouping)", units.seconds(allowance)),
        (f"Measured, {severity} delivered", units.seconds(paged)),
        ("Inside the prediction", html.badge("ok" if met else "bad", "yes" if met else "no")),
    ]
    steps = Markup("<ol>{}</ol>").format(
        Markup().join(Markup("<li>{}</li>").format(step) for step in due["arithmetic"])
    )
    table = html.table(("Detection", f"Lab time, {record.factor}x"), rows, label="Detection, predicted and measured")
    return table + html.details("How the prediction is computed", steps)


def figure_means(_book: Book, key: str) -> str:
    """The one definition of a figure of incidents, by its key in a record."""
    means = {one.key: one.means for one in definitions.FIGURES}
    means |= {"run_seconds": definitions.RUN_MEANS, "budget_spent_ratio": definitions.BUDGET_MEANS}
    if key not in means:
        raise LabError(f"no figure {key!r}; there are {', '.join(means)}")
    return means[key]


VIEWS = (
    figure_means, moment, between, before, worst, facts, recorded_day, fact, timeline, durations, prediction,
)  # fmt: skip
