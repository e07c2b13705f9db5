"""The drill catalogue on pages, runbook commands, and when a drill last proved each alert."""

from __future__ import annotations

from itertools import takewhile
from statistics import median

from lab import units
from lab.drills.runbook import parser
from lab.drills.spec.drill import Drill
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources.context import RUNBOOKS, SIMULATIONS, SiteContext
from lab.site.sources.records import Record
from lab.site.views.cross_links import alert_loop, incident_loop

NOT_YET = "not yet recorded"


def drill_table(context: SiteContext) -> Markup:
    """Every drill with its trigger, severity, the alert that must catch it, and its last record."""
    rows = []
    for drill in context.catalogue:
        alert = drill.expect.alert
        caught = html.link(context.runbook(alert), alert) if alert else "no alert allowed"
        name = html.link(context.href(f"{SIMULATIONS}#{drill.id.lower()}"), drill.id)
        rows.append((name, drill.title, drill.trigger, drill.severity, caught, drill_record(context, drill.id)))
    head = ("Drill", "What goes wrong", "Trigger", "Severity", "Must be caught by", "Last record")
    return html.table(head, rows, label="Drills")


def drill_count(context: SiteContext) -> int:
    """The number of drills without the control."""
    return sum(not drill.is_control for drill in context.catalogue)


def drill_record(context: SiteContext, ident: str) -> object:
    """Verdict and date of a drill's record, linked to its postmortem; `not yet recorded` without a record."""
    record = context.records.find(context.drill(ident).id)
    if record is None:
        return NOT_YET
    passed = "passed" if record.data.verdict.passed else "failed"
    target = context.postmortem(ident) or record.path
    day = Markup('<span class="lab-word">{}</span>').format(units.day(record.data.started_at))
    return html.link(context.href(target), Markup("{} {} {}").format(ident, passed, day))


def drill_title(context: SiteContext, ident: str) -> str:
    """A drill's title."""
    return context.drill(ident).title


def wrong_answer(context: SiteContext, ident: str) -> Markup:
    """The commands of the mistaken responder in a drill, and why they do not help."""
    return Markup("<p>{}</p>").format(_decoy(context.drill(ident)))


def _decoy(drill: Drill) -> Markup:
    commands = Markup(", ").join(html.code(command) for command in drill.decoy.commands)
    return Markup("{} <em>{}</em>").format(commands, drill.decoy.why)


def drill_sections(context: SiteContext) -> str:
    """A section for each drill: the comment that opens its file, the file, the mistaken answer, and its links."""
    return "\n\n".join(_section(context, drill) for drill in context.catalogue)


def _section(context: SiteContext, drill: Drill) -> str:
    source = drill.file.read_text()
    opening = takewhile(lambda line: line.startswith("#"), source.splitlines())
    about = Markup("<p>{}</p>").format(" ".join(line.lstrip("# ") for line in opening))
    file = html.details(f"lab/drills/catalogue/{drill.file.name}", html.code_block(source, "yaml"))
    mistaken = Markup("<p>The mistaken answer: {}</p>").format(_decoy(drill))
    heading = f"### {drill.id}: {drill.title} {{: #{drill.id.lower()} }}"
    return "\n\n".join((heading, about, file, mistaken, incident_loop(context, drill.id)))


def last_exercised(context: SiteContext, alert: str) -> Markup:
    """When a drill last raised this alert and its runbook resolved the incident, with the alert's cross-links.

    Says so when no record has this alert as the page to answer.
    """
    proofs = [record for record in context.records if _proves(record, alert)]
    if not proofs:
        return Markup(
            "<p><strong>Last exercised:</strong> {}. No committed record has this alert as the page to answer.</p>{}"
        ).format(NOT_YET, alert_loop(context, alert))
    record = max(proofs, key=lambda record: record.data.started_at)
    target = context.postmortem(record.ident) or record.path
    page = record.first("page")
    paged = f", paged after {units.tenths(page.t_seconds)}" if page else ", no page arrived"
    predicted = units.tenths(record.prediction.detection_seconds)
    return Markup(
        "<p><strong>Last exercised:</strong> {} by {} (responder {}){}; alert predicted after {}; lab time, {}x. "
        "Verdict: {}.</p>{}"
    ).format(
        units.day(record.data.started_at), html.link(context.href(target), record.ident), record.data.responder, paged,
        predicted, record.factor, "passed" if record.data.verdict.passed else "failed", alert_loop(context, alert),
    )  # fmt: skip


def last_proven(context: SiteContext, alert: str) -> str:
    """The date of the last passed record of an alert, `2026-11-23`, or `not yet recorded`."""
    days = [
        units.day(record.data.started_at)
        for record in context.records
        if _proves(record, alert) and record.data.verdict.passed
    ]
    return max(days, default=NOT_YET)


def _proves(record: Record, alert: str) -> bool:
    return record.data.prediction is not None and record.data.prediction.alert == alert


def runbook_commands(context: SiteContext) -> Markup:
    """Every command of a runbook's check or mitigate step, each once, with the alerts whose sections print it.

    Leaves the validate steps out: each holds the query of its own alert.
    """
    sections: dict[tuple[str, str], list[Markup]] = {}
    for section in parser.sections(context.docs / RUNBOOKS):
        section_link = html.link(context.href(f"{RUNBOOKS}#{section.anchor}"), section.title)
        for branch in section.branches():
            for step in ("check", "mitigate"):
                for command in getattr(branch, step):
                    links = sections.setdefault((step, command), [])
                    if section_link not in links:
                        links.append(section_link)
    rows = [
        (html.code(command, wrap=True), step, Markup(", ").join(links))
        for (step, command), links in sorted(sections.items(), key=lambda item: (item[0][0] == "check", item[0][1]))
    ]
    return html.details(
        f"{len(rows)} commands",
        html.table(("Command", "Step", "Section"), rows, label="Runbook commands", row_heads=False),
    )


MEASURES = {
    "detection_seconds": "Fired",
    "mtta_seconds": "Ack by autopilot",
    "mttm_seconds": "Mitigated",
    "mttr_seconds": "Recovered",
}


def incident_measures(context: SiteContext) -> Markup:
    """The measured times of every recorded incident, and their medians once there are three."""
    rows: list[tuple[object, ...]] = []
    measured: list[list[float | None]] = []
    for record in context.records:
        if not record.data.prediction:
            continue
        values = [record.data.durations.of(key) for key in MEASURES]
        measured.append(values)
        spent = max((budget.budget_spent_ratio for budget in record.data.budget.values()), default=0.0)
        where = html.link(context.href(f"{SIMULATIONS}#{record.ident.lower()}"), record.ident)
        rows.append((where, *map(_seconds, values), units.percent(spent)))
    if len(rows) > 2:
        columns = [[value for value in column if value is not None] for column in zip(*measured, strict=True)]
        rows.append(("Median", *map(_median, columns), ""))
    head = ("Incident", *MEASURES.values(), "Budget")
    return html.table(head, rows, label=f"Incidents, lab time {context.factor}x", numeric=True)


def _median(column: list[float]) -> object:
    """The median with the number of incidents behind it, which differs by column."""
    if not column:
        return units.ABSENT
    return Markup("{}<br><small>of {}</small>").format(units.tenths(median(column)), len(column))


def _seconds(value: float | None) -> str:
    return units.ABSENT if value is None else units.tenths(float(value))


VIEWS = (
    incident_measures, drill_count, drill_table, drill_title, wrong_answer, drill_sections, last_exercised, last_proven,
    runbook_commands,
)  # fmt: skip
