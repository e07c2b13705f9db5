"""Lists on pages: drills, runbook commands, and when each alert was last proven."""

from __future__ import annotations

from itertools import takewhile
from statistics import median

from lab import units
from lab.drills.runbook import parser
from lab.drills.spec.drill import Drill
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources.context import RUNBOOKS, SIMULATIONS, Book
from lab.site.sources.records import Record
from lab.site.views.cross_links import alert_loop, incident_loop

NOT_YET = "not yet recorded"


def drill_table(book: Book) -> Markup:
    """Every drill there is: trigger, what must page, runbook, and its last record."""
    rows = []
    for drill in book.catalogue:
        alert = drill.expect.alert
        caught = html.link(book.runbook(alert), alert) if alert else "nobody may be paged"
        name = html.link(book.href(f"{SIMULATIONS}#{drill.id.lower()}"), drill.id)
        rows.append((name, drill.title, drill.trigger, drill.severity, caught, drill_record(book, drill.id)))
    head = ("Drill", "What goes wrong", "Trigger", "Severity", "Must be caught by", "Last record")
    return html.table(head, rows, label="Drills")


def drill_count(book: Book) -> int:
    """How many incidents can be drilled, the control left out."""
    return sum(not drill.is_control for drill in book.catalogue)


def drill_record(book: Book, ident: str) -> object:
    """Date and verdict of a drill's record, linked to its postmortem; `not yet recorded` where there is none."""
    record = book.records.find(book.drill(ident).id)
    if record is None:
        return NOT_YET
    passed = "passed" if record["verdict"]["passed"] else "failed"
    target = book.postmortem(ident) or record.path
    day = Markup('<span class="lab-word">{}</span>').format(units.day(record["started_at"]))
    return html.link(book.href(target), Markup("{} {} {}").format(ident, passed, day))


def drill_title(book: Book, ident: str) -> str:
    """A drill's title."""
    return book.drill(ident).title


def wrong_answer(book: Book, ident: str) -> Markup:
    """The commands of the mistaken responder in a drill, and why they do not help."""
    return Markup("<p>{}</p>").format(_decoy(book.drill(ident)))


def _decoy(drill: Drill) -> Markup:
    commands = Markup(", ").join(html.code(command) for command in drill.decoy.commands)
    return Markup("{} <em>{}</em>").format(commands, drill.decoy.why)


def drill_sections(book: Book) -> str:
    """A section for each drill: the comment that opens its file, the file, the mistaken answer, and its links."""
    return "\n\n".join(_section(book, drill) for drill in book.catalogue)


def _section(book: Book, drill: Drill) -> str:
    source = drill.file.read_text()
    opening = takewhile(lambda line: line.startswith("#"), source.splitlines())
    about = Markup("<p>{}</p>").format(" ".join(line.lstrip("# ") for line in opening))
    file = html.details(f"lab/drills/catalogue/{drill.file.name}", html.code_block(source, "yaml"))
    mistaken = Markup("<p>The mistaken answer: {}</p>").format(_decoy(drill))
    heading = f"### {drill.id}: {drill.title} {{: #{drill.id.lower()} }}"
    return "\n\n".join((heading, about, file, mistaken, incident_loop(book, drill.id)))


def last_exercised(book: Book, alert: str) -> Markup:
    """When a drill last made this alert page and its runbook mend it, and where else the alert leads.

    The only place where a record may be missing.
    """
    proofs = [record for record in book.records if _proves(record, alert)]
    if not proofs:
        return Markup(
            "<p><strong>Last exercised:</strong> {}. No committed record has this alert as the page to answer.</p>{}"
        ).format(NOT_YET, alert_loop(book, alert))
    record = max(proofs, key=lambda one: str(one["started_at"]))
    target = book.postmortem(record.ident) or record.path
    page = record.first("page")
    paged = f", paged after {units.seconds(float(page['t_seconds']))}" if page else ", no page arrived"
    predicted = units.seconds(float(record["prediction"]["detection_seconds"]))
    return Markup(
        "<p><strong>Last exercised:</strong> {} by {} (responder {}){}; alert predicted after {}; lab time, {}x. "
        "Verdict: {}.</p>{}"
    ).format(
        units.day(record["started_at"]), html.link(book.href(target), record.ident), record["responder"], paged,
        predicted, record.factor, "passed" if record["verdict"]["passed"] else "failed", alert_loop(book, alert),
    )  # fmt: skip


def last_proven(book: Book, alert: str) -> str:
    """The date on which a record last proved an alert and its runbook, for a table's cell."""
    days = [
        units.day(record["started_at"])
        for record in book.records
        if _proves(record, alert) and record["verdict"]["passed"]
    ]
    return max(days, default=NOT_YET)


def _proves(record: Record, alert: str) -> bool:
    prediction = record.data.get("prediction") or {}
    return prediction.get("alert") == alert


def runbook_commands(book: Book) -> Markup:
    """Every command that a runbook's check or mitigation prints, once, with the alerts that ask for it.

    What validates is left out: a query of the alert's own, which stands beside it there.
    """
    asked: dict[tuple[str, str], list[Markup]] = {}
    for section in parser.sections(book.docs / RUNBOOKS):
        where = html.link(book.href(f"{RUNBOOKS}#{section.anchor}"), section.title)
        for branch in section.branches():
            for step in ("check", "mitigate"):
                for command in getattr(branch, step):
                    alerts = asked.setdefault((step, command), [])
                    if where not in alerts:
                        alerts.append(where)
    rows = [
        (html.code(command, wrap=True), step, Markup(", ").join(alerts))
        for (step, command), alerts in sorted(asked.items(), key=lambda one: (one[0][0] == "check", one[0][1]))
    ]
    return html.details(
        f"{len(rows)} commands",
        html.table(("Command", "Step", "Asked for by"), rows, label="Runbook commands", row_heads=False),
    )


MEASURES = {
    "detection_seconds": "Fired",
    "mtta_seconds": "Ack by autopilot",
    "mttm_seconds": "Mitigated",
    "mttr_seconds": "Recovered",
}


def incident_measures(book: Book) -> Markup:
    """The measured times of every recorded incident, and their medians once there are three."""
    rows: list[tuple[object, ...]] = []
    measured: list[list[float | None]] = []
    for record in book.records:
        if not record["prediction"]:
            continue
        values = [record["durations"][key] for key in MEASURES]
        measured.append(values)
        spent = max((budget["budget_spent_ratio"] for budget in record["budget"].values()), default=0.0)
        where = html.link(book.href(f"{SIMULATIONS}#{record.ident.lower()}"), record.ident)
        rows.append((where, *map(_seconds, values), units.percent(spent)))
    if len(rows) > 2:
        columns = [[value for value in column if value is not None] for column in zip(*measured, strict=True)]
        rows.append(
            (f"Median of {len(rows)}", *(_seconds(median(column) if column else None) for column in columns), "")
        )
    head = ("Incident", *MEASURES.values(), "Budget")
    return html.table(head, rows, label=f"Incidents, lab time {book.factor}x", numeric=True)


def _seconds(value: float | None) -> str:
    return units.ABSENT if value is None else units.seconds(float(value))


VIEWS = (
    incident_measures, drill_count, drill_table, drill_title, wrong_answer, drill_sections, last_exercised, last_proven,
    runbook_commands,
)  # fmt: skip
