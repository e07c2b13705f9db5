"""`fleetops drill`: incidents on purpose, graded."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.cli.shared import AS_JSON, clients
from lab.errors import LabError, NotRunning, Void
from lab.paths import home

if TYPE_CHECKING:
    from lab.drills.campaign import Result, Run

RESPONDERS = ("autopilot", "human", "command", "none", "wrong", "peek")


@click.group()
def drill() -> None:
    """Break the lab on purpose, and grade how it was caught and mended.

    \b
    Example: fleetops drill run INC-001
    """


@drill.command("list")
@AS_JSON
def drill_list(as_json: bool) -> None:
    """Show every drill: what a chooser wants to know, and, with --json, all that its file says.

    \b
    Examples:
      fleetops drill list
      fleetops drill list --json
    """
    from lab.cli.text import table
    from lab.drills.catalogue_data import row
    from lab.drills.spec.drill import catalogue

    rows = [row(drill) for drill in catalogue()]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    table(
        ("DRILL", "SEV", "TRIGGER", "COMPONENT", "CAUGHT BY", "WHAT GOES WRONG"),
        [
            (
                one["id"], one["severity"], one["trigger"], one["component"],
                f"{one['detected_by']['severity']} {one['detected_by']['alert']}" if one["detected_by"] else "nobody",
                one["title"],
            )
            for one in rows
        ],
        "no drills",
    )  # fmt: skip


@drill.command("faults")
@AS_JSON
def drill_faults(as_json: bool) -> None:
    """Show every fault a drill can inject, with its parameters: name, type and range, default, meaning.

    \b
    Example: fleetops drill faults
    """
    from lab.drills.catalogue_data import faults

    rows = faults()
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for one in rows:
        click.echo(f"{one['kind']:<20} {one['about']}")
        for parameter in one["parameters"]:
            default = "" if parameter["required"] else f", default {parameter['default']}"
            click.echo(f"    {parameter['name']}: {parameter['shape']}{default}. {parameter['about']}")


@drill.command("run")
@click.argument("drill_id", metavar="ID")
@click.option(
    "--responder", type=click.Choice(RESPONDERS), default="autopilot", show_default=True, help="Who answers the page."
)
@click.option(
    "--record", "record_file", type=click.Path(dir_okay=False, path_type=Path), help="Also write the record here."
)
@click.option("--blind", is_flag=True, help="Do not say what is broken before the verdict; 'random' never does.")
@click.option("--keep-history", is_flag=True, help="Do not empty Prometheus first; earlier incidents may then count.")
@click.option("--json", "as_json", is_flag=True, help="The record on standard output, progress on standard error.")
@click.option("--env", "variables", multiple=True, metavar="NAME", help="Give PROGRAM this variable of yours too.")
@click.option("--picked-by", type=int, hidden=True, help="The pipe that holds ID (lab/drills/run/blind.py).")
@click.argument("program", metavar="[-- PROGRAM ARGS...]", nargs=-1, type=click.UNPROCESSED)
def drill_run(
    drill_id: str,
    responder: str,
    record_file: Path | None,
    blind: bool,
    keep_history: bool,
    as_json: bool,
    variables: tuple[str, ...],
    picked_by: int | None,
    program: tuple[str, ...],
) -> int:
    """Run drill ID end to end: fault, page, response, recovery, verdict.

    Exit status 0 pass, 1 fail, 2 bad request, 3 void: the machine was too busy for the run to say anything.

    A drill starts from empty history, so that nothing but its fault raises an alert. The fault is undone however this
    ends. `random` picks a drill and does not say which before the verdict. `command`
    hands the page to PROGRAM, as JSON on its standard input, with `fleetops` on its PATH, in an empty folder and with
    little of your environment; it is always blind. `none`, `wrong` and `peek`, which tries to read which drill it is,
    are the controls of the grading: they must fail.

    \b
    Examples:
      fleetops drill run INC-001
      fleetops drill run random --responder human
      fleetops drill run INC-001 --responder command -- ./my-agent --verbose
      fleetops drill run INC-001 --json --record record.json
    """
    from lab.clients.documents import as_builtins
    from lab.drills.evidence import record
    from lab.drills.evidence.report import summary
    from lab.drills.run.blind import hide, incidents, picked
    from lab.drills.run.responders import PROGRAMS
    from lab.drills.runbook.execute import fleetops
    from lab.drills.runner import run_drill
    from lab.drills.spec.drill import find
    from lab.drills.undo.journal import RANDOM

    blind = blind or drill_id == RANDOM or responder in PROGRAMS
    if blind and drill_id != RANDOM:
        hide(drill_id, fleetops())
    if picked_by is not None:
        found = picked(picked_by)
    else:
        found = random.SystemRandom().choice(incidents()) if drill_id == RANDOM else find(drill_id)
    if record_file is not None and not record_file.parent.is_dir():
        raise click.BadParameter(f"the folder {record_file.parent} does not exist", param_hint="--record")
    try:
        document = run_drill(
            found,
            responder,
            clients(),
            lambda line: click.echo(line, err=as_json),
            program=program,
            variables=variables,
            blind=blind,
            keep_history=keep_history,
        )
    except KeyboardInterrupt:
        raise LabError("the drill was stopped; what it had changed was put back") from None
    kept = record.keep(document, home())
    verdict = document.verdict
    if record_file is not None and not verdict.void:
        kept = record_file
        record.write(document, record_file)
    if as_json:
        click.echo(json.dumps(as_builtins(document)))
    else:
        click.echo("")
        for line in summary(document):
            click.echo(line)
        click.echo(f"record    {kept}")
    if verdict.void:
        raise Void(f"drill {found.id} is void: {verdict.why}")
    if verdict.passed:
        return 0
    click.echo(f"fleetops: drill {found.id} failed: {verdict.why}", err=True)
    return 1


@drill.command("undo")
def drill_undo() -> None:
    """Put back what a drill that was killed has changed. The next drill, and the next 'fleetops up', do so too.

    \b
    Example: fleetops drill undo
    """
    from lab.drills.undo.journal import journal_path, running, undo_left_over

    if running(home()):
        raise LabError("a drill is running; 'fleetops drill stop' gives it up")
    left = journal_path(home()).exists()
    for line in undo_left_over(clients()):
        click.echo(line)
    click.echo("everything is as it was before the drill" if left else "no drill has left anything")


@drill.command("stop")
def drill_stop() -> None:
    """Give up the drill that is running, wherever it was started, as Ctrl-C does where it runs: everything is undone.

    What a drill that was killed has left is undone as well.

    \b
    Example: fleetops drill stop
    """
    from lab.drills.run.stoppable import give_up

    click.echo(give_up(clients()))


@drill.command("all")
@click.option("--controls", is_flag=True, help="The controls of the grading instead: nobody, and somebody mistaken.")
@click.option("--fresh", is_flag=True, help="Do not go on with a campaign that was stopped.")
@click.option("--json", "as_json", is_flag=True, help="The results on standard output, progress on standard error.")
def drill_all(controls: bool, fresh: bool, as_json: bool) -> int:
    """Run the whole catalogue with the autopilot, and refresh the committed records. Exit 0 when every run ends as expected.

    Every drill must pass with the autopilot; with --controls, every one must fail. A run that is void, because the
    machine was too busy, is repeated once. A campaign that was stopped goes on where it was.

    \b
    Example: fleetops drill all
    """
    from lab.drills import campaign
    from lab.drills.spec.drill import catalogue

    runs = campaign.plan(catalogue(), controls=controls)
    state = campaign.Campaign(home(), controls=controls)
    if fresh:
        state.finish()
    missing = state.resume(runs)
    if len(missing) < len(runs):
        click.echo(f"going on: {len(runs) - len(missing)} of {len(runs)} are done", err=True)
    for number, one in enumerate(missing, start=len(runs) - len(missing) + 1):
        click.echo(f"\n[{number}/{len(runs)}] {one.drill.id} {one.drill.title} ({one.responder})", err=True)
        found = _play(one)
        if found.void:
            click.echo(f"VOID, once more: {found.why}", err=True)
            found = _play(one)
        state.add(found)
        click.echo(f"{found.outcome}: {found.why or 'passed'}", err=True)
    results = [state.results[one.key] for one in runs]
    if as_json:
        click.echo(json.dumps([{**vars(row), "late_seconds": row.late_seconds} for row in results], indent=1))
    else:
        _print_campaign(results)
    state.finish()
    return 0 if all(row.as_expected for row in results) else 1


def _play(one: Run) -> Result:
    """One run of a campaign, and its record kept."""
    from lab.drills import campaign
    from lab.drills.evidence import record
    from lab.drills.runner import run_drill
    from lab.paths import RECORDS

    try:
        document = run_drill(one.drill, one.responder, clients(), lambda line: click.echo(line, err=True))
    except KeyboardInterrupt:
        raise LabError("stopped; the drill was undone, and `fleetops drill all` goes on from here") from None
    except NotRunning:
        raise
    except LabError as error:
        return campaign.failure(one, error)
    record.keep(document, home())
    campaign.keep_record(document, one, RECORDS)
    return campaign.result(one, document)


def _print_campaign(results: list[Result]) -> None:
    from lab.cli.text import table
    from lab.drills.campaign import summary

    def shown(value: float | None) -> str:
        return "-" if value is None else f"{value:.1f} s"

    click.echo("")
    table(
        ("DRILL/RESPONDER", "AS IT MUST", "VERDICT", "PREDICTED", "PAGED", "LATER BY", "RECOVERED", "WHY"),
        [
            (
                row.key, "yes" if row.as_expected else "NO", row.verdict,
                shown(row.predicted_seconds), shown(row.page_seconds), shown(row.late_seconds), shown(row.mttr_seconds),
                row.why[:60],
            )
            for row in results
        ],
        "no drills",
    )  # fmt: skip
    for line in summary(results):
        click.echo(line)
