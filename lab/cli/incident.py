"""`fleetops incident`: open pages and the records of drills."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lab.cli.oncall import pager
from lab.cli.shared import AS_JSON, clients
from lab.cli.text import print_json, seconds, table
from lab.errors import LabError, UsageError
from lab.paths import home

if TYPE_CHECKING:
    from lab.clients.documents import Page
    from lab.drills.schema.record import Record


@click.group()
def incident() -> None:
    """List, show and verify incidents: open pages, and the records of drills.

    \b
    Example: fleetops incident list
    """


@incident.command("list")
@AS_JSON
def incident_list(as_json: bool) -> None:
    """List open pages, and the records of drills.

    The records are those of this lab and the committed ones.

    \b
    Example: fleetops incident list
    """
    from lab.clients.documents import as_builtins

    rows = [_summary(source, document) for source, document in _records()]
    open_pages = _open_pages()
    if as_json:
        print_json({"open_pages": as_builtins(open_pages), "records": rows})
        return
    if open_pages:
        table(
            ("OPEN PAGE", "ALERT", "SINCE (UTC)", "ACKED BY"),
            [(str(page.id), page.alertname, page.starts_at, page.acked_by or "-") for page in open_pages],
            "",
        )
        click.echo()
    table(
        ("INCIDENT", "STARTED (UTC)", "RESPONDER", "VERDICT", "DETECTED", "RECOVERED", "RECORD"),
        [
            (
                row["id"], row["started_at"], row["responder"], row["verdict"],
                seconds(row["page_seconds"]), seconds(row["mttr_seconds"]), row["record"],
            )
            for row in rows
        ],
        "no records; `fleetops drill run INC-001` creates one",
        right=("DETECTED", "RECOVERED"),
    )  # fmt: skip


@incident.command("show")
@click.argument("incident_id", metavar="ID")
@AS_JSON
def incident_show(incident_id: str, as_json: bool) -> None:
    """Show the newest record of ID.

    ID is a drill such as INC-001, or the file name of a record without `.json`.

    \b
    Example: fleetops incident show INC-001
    """
    from lab.clients.documents import as_builtins
    from lab.drills.evidence.report import summary

    records = _records()
    matching = [(file, record) for file, record in records if incident_id in (record.drill.id, Path(file).stem)]
    if not matching:
        known = ", ".join(sorted({record.drill.id for _, record in records}))
        raise UsageError(f"no record of {incident_id!r}; known: {known or 'none'}")
    file, document = max(matching, key=lambda pair: pair[1].started_at)
    if as_json:
        print_json(as_builtins(document))
        return
    click.echo(f"record {file}")
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
    help="The broken component; naming more than one scores less.",
)
@click.option("--class", "trigger", required=True, metavar="T", help="The trigger class.")
def incident_diagnose(page_id: int, components: tuple[str, ...], trigger: str) -> None:
    """Lock in a diagnosis for page ID of the running drill. Only the first one counts.

    \b
    Components: clients, gateway, user, feed, feed-canary, cache, db, network, pipeline, monitoring.
    Classes:    binary push, config push, operator, capacity, performance decay, DB conflict, complex system, abuse,
                user behaviour, provider, hardware, exhaustion, time, processing pipeline, monitoring, network.

    \b
    Example: fleetops incident diagnose 3 --component db --class capacity
    """
    from lab.drills.run import diagnosis
    from lab.drills.spec.drill import COMPONENTS, TRIGGERS

    for kind, value, known in [*(("component", c, COMPONENTS) for c in components), ("class", trigger, TRIGGERS)]:
        diagnosis.one_of(kind, value, known)
    diagnosis.diagnose(clients(), page_id, components, trigger)
    click.echo(f"locked in: {', '.join(components)}, {trigger}")


@incident.command("hint")
def incident_hint() -> None:
    """Buy the next hint for the running drill; each costs points.

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
    """Verify records against their own event counts.

    Without FILE, verifies the committed records. Computes the ratios in every tier's windows from the recorded counts,
    as the rules do, and from them which alert had to fire and clear, when and by which tier. The recorded alerts must
    match within one scrape and one evaluation, the tier must be the predicted one, and every error budget must be full
    at the injection.

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
            result = verify.verify(record.read(file))
        except LabError as error:
            problems.append(str(error))
            continue
        rows += result.rows
        problems += [f"{file}: {problem}" for problem in result.problems]
    if as_json:
        print_json({"alerts": [asdict(row) for row in rows], "problems": problems})
    else:
        table(report.VERIFIED, [report.verified(row) for row in rows], "no alert can be computed")
        for problem in problems:
            click.echo(f"fleetops: {problem}", err=True)
    return 1 if problems else 0


@incident.command("postmortem")
@click.argument("incident_id", metavar="ID")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file instead of standard output.",
)
def incident_postmortem(incident_id: str, output: Path | None) -> None:
    """Draft the postmortem of ID from its committed record.

    It starts with status, severity, date, duration, roles, services, affected users and requests, and the budget spent;
    status and roles are in its front matter. Numbers are macros that read the record, the drill and the SLO specs.
    Parts for a person to write, such as action items with priority and due date, are marked "To be written". An
    existing file is not overwritten.

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
        raise UsageError(f"{output} exists and was not changed; choose another file") from None
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from error
    click.echo(f"{output}: {postmortem_draft.unwritten(text)} parts to be written")
    click.echo(f"mkdocs.yml, under Postmortems: {postmortem_draft.nav_line(output)}")


def _open_pages() -> list[Page]:
    try:
        return [page for page in pager().pages(only_open=True) if page.severity == "page"]
    except LabError:  # the records are readable without a running lab
        return []


def _records() -> list[tuple[str, Record]]:
    from lab.drills.evidence import record
    from lab.paths import RECORDS

    records = []
    for file in (*sorted(RECORDS.glob("*.json")), *sorted(record.folder(home()).glob("*.json"))):
        try:
            records.append((str(file), record.read(file)))
        except LabError as error:
            click.echo(f"fleetops: {error}", err=True)
    return sorted(records, key=lambda pair: pair[1].started_at)


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
