"""`fleetops incident`: what is going on, and what was."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lab.cli.oncall import pager
from lab.cli.shared import AS_JSON, clients
from lab.cli.text import table
from lab.errors import LabError, UsageError
from lab.paths import home

if TYPE_CHECKING:
    from lab.clients.documents import Page
    from lab.drills.schema.record import Record


@click.group()
def incident() -> None:
    """Incidents: what is going on, and the records of what was.

    \b
    Example: fleetops incident list
    """


@incident.command("list")
@AS_JSON
def incident_list(as_json: bool) -> None:
    """Show open pages and every record, this lab's and the committed ones.

    \b
    Example: fleetops incident list
    """
    from lab.clients.documents import as_builtins

    rows = [_summary(source, document) for source, document in _records()]
    open_pages = _open_pages()
    if as_json:
        click.echo(json.dumps({"open_pages": as_builtins(open_pages), "records": rows}, indent=1))
        return
    for p in open_pages:
        click.echo(f"OPEN  page {p.id} {p.alertname} since {p.starts_at}, {p.acked_by or 'unacknowledged'}")
    table(
        ("INCIDENT", "STARTED (UTC)", "RESPONDER", "VERDICT", "DETECTED", "RECOVERED", "RECORD"),
        [
            (
                r["id"], r["started_at"], r["responder"], r["verdict"],
                _seconds(r["page_seconds"]), _seconds(r["mttr_seconds"]), r["record"],
            )
            for r in rows
        ],
        "no records; 'fleetops drill run INC-001' makes one",
    )  # fmt: skip


@incident.command("show")
@click.argument("incident_id", metavar="ID")
@AS_JSON
def incident_show(incident_id: str, as_json: bool) -> None:
    """Show the newest record of ID: a drill such as INC-001, or a run as 'incident list' names it.

    \b
    Example: fleetops incident show INC-001
    """
    from lab.clients.documents import as_builtins
    from lab.drills.evidence.report import summary

    found = [(s, d) for s, d in _records() if incident_id in (d.drill.id, Path(s).stem)]
    if not found:
        known = sorted({d.drill.id for _, d in _records()})
        raise UsageError(
            f"no record of {incident_id!r}; " + (f"known: {', '.join(known)}" if known else "there are none")
        )
    source, document = max(found, key=lambda pair: pair[1].started_at)
    if as_json:
        click.echo(json.dumps(as_builtins(document), indent=1))
        return
    click.echo(f"record {source}")
    for line in summary(document):
        click.echo(line)


@incident.command("diagnose")
@click.argument("page_id", metavar="ID", type=int)
@click.option(
    "--component",
    "components",
    multiple=True,
    required=True,
    metavar="C",
    help="What is broken; more than one is a hedge, and worth less.",
)
@click.option("--class", "trigger", required=True, metavar="T", help="What set it off: its trigger class.")
def incident_diagnose(page_id: int, components: tuple[str, ...], trigger: str) -> None:
    """Lock in what is wrong, for the page ID of the drill that runs. The first diagnosis counts.

    \b
    Components: clients, gateway, user, feed, feed-canary, cache, db, network, pipeline, monitoring.
    Classes:    binary push, config push, operator, capacity, performance decay, DB conflict, complex system, abuse,
                user behaviour, provider, hardware, exhaustion, time, processing pipeline, monitoring, network.

    \b
    Example: fleetops incident diagnose 3 --component db --class capacity
    """
    from lab.drills.run import diagnosis
    from lab.drills.spec.drill import COMPONENTS, TRIGGERS

    for what, value, known in [*(("component", c, COMPONENTS) for c in components), ("class", trigger, TRIGGERS)]:
        diagnosis.one_of(what, value, known)
    diagnosis.diagnose(clients(), page_id, components, trigger)
    click.echo(f"locked in: {', '.join(components)}, {trigger}")


@incident.command("hint")
def incident_hint() -> None:
    """Buy the next hint of the drill that runs; each costs points of the score.

    \b
    Example: fleetops incident hint
    """
    from lab.drills.grading.scorecard import HINT_POINTS
    from lab.drills.run import diagnosis

    number, there_are, text = diagnosis.buy_hint(clients())
    click.echo(f"hint {number} of {there_are} ({HINT_POINTS} points): {text}")


@incident.command("verify")
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@AS_JSON
def incident_verify(files: tuple[Path, ...], as_json: bool) -> int:
    """Check that each record FILE proves itself; without FILE, the committed ones.

    From a record's counts of events the ratios in every tier's windows are computed as the rules do it: which alert
    must fire, when, by which tier, and when it must clear. The recorded alerts must agree within one scrape and one
    evaluation, the tier must be the predicted one, and every budget must be whole at the injection.

    \b
    Examples:
      fleetops incident verify
      fleetops incident verify .lab/data/incidents/*.json
    """
    from lab.drills.evidence import record, report, verify
    from lab.paths import RECORDS

    rows, problems = [], []
    for file in files or sorted(RECORDS.glob("*.json")):
        try:
            found = verify.verify(record.read(file))
        except LabError as error:
            problems.append(str(error))
            continue
        rows += found.rows
        problems += [f"{file}: {problem}" for problem in found.problems]
    if as_json:
        click.echo(json.dumps({"alerts": [asdict(row) for row in rows], "problems": problems}, indent=1))
    else:
        table(report.VERIFIED, [report.verified(row) for row in rows], "nothing that could be computed")
        for problem in problems:
            click.echo(f"fleetops: {problem}", err=True)
    return 1 if problems else 0


@incident.command("postmortem")
@click.argument("incident_id", metavar="ID")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the page here; without it, to standard output.",
)
def incident_postmortem(incident_id: str, output: Path | None) -> None:
    """Draft the postmortem of ID from its committed record.

    It opens with status, severity, date, duration, roles, services, users and requests hit and the budget spent;
    status and roles stand in its front matter. Every number is a macro that reads the record; what a person must
    still write is marked "To be written", the action items with priority and due date among it. A page that exists is
    never overwritten.

    \b
    Examples:
      fleetops incident postmortem INC-001
      fleetops incident postmortem INC-001 --output docs/06_postmortems/INC-001_feed_latency_regression.md
    """
    from lab.drills.spec.drill import find
    from lab.paths import RECORDS
    from lab.site import postmortem_draft
    from lab.site.sources.records import Records

    drill = find(incident_id)
    record = Records(RECORDS).read(drill.id)
    text = postmortem_draft.page(record, drill)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{output} exists; nothing was changed, name another file") from None
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from error
    click.echo(f"{output}: {postmortem_draft.unwritten(text)} places are yours to write")
    click.echo(f"mkdocs.yml, under Postmortems: {postmortem_draft.nav_line(output)}")


def _open_pages() -> list[Page]:
    try:
        return [p for p in pager().pages(only_open=True) if p.severity == "page"]
    except LabError:  # the records can be read with no lab running
        return []


def _records() -> list[tuple[str, Record]]:
    from lab.drills.evidence import record
    from lab.paths import RECORDS

    found = []
    for file in (*sorted(RECORDS.glob("*.json")), *sorted(record.folder(home()).glob("*.json"))):
        try:
            found.append((str(file), record.read(file)))
        except LabError as error:
            click.echo(f"fleetops: {error}", err=True)
    return sorted(found, key=lambda pair: pair[1].started_at)


def _summary(source: str, document: Record) -> dict[str, Any]:
    return {
        "id": document.drill.id,
        "title": document.drill.title,
        "started_at": document.started_at,
        "responder": document.responder,
        "passed": document.verdict.passed,
        "verdict": document.verdict.outcome,
        "page_seconds": document.durations.page_seconds,
        "mttr_seconds": document.durations.mttr_seconds,
        "record": source,
    }


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
