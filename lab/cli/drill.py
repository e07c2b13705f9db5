"""`fleetops drill`: run and grade incident drills."""

from __future__ import annotations

import json
import random
from pathlib import Path

import click

from lab.cli.campaign import run_all
from lab.cli.shared import AS_JSON, clients, clients_of_idle_lab
from lab.cli.text import print_json, table
from lab.errors import LabError, Void
from lab.paths import home

RESPONDERS = ("autopilot", "human", "command", "none", "wrong", "peek")


@click.group()
def drill() -> None:
    """Run drills: inject a fault, and grade its detection and mitigation.

    \b
    Example: fleetops drill run INC-001
    """


@drill.command("list")
@AS_JSON
def drill_list(as_json: bool) -> None:
    """List the drills. With --json, with everything in their files.

    \b
    Examples:
      fleetops drill list
      fleetops drill list --json
    """
    from lab.clients.documents import as_builtins
    from lab.drills.catalogue_data import summary
    from lab.drills.spec.drill import catalogue

    rows = [summary(drill) for drill in catalogue()]
    if as_json:
        print_json(as_builtins(rows))
        return
    table(
        ("DRILL", "SEV", "TRIGGER", "COMPONENT", "DETECTED BY", "TITLE"),
        [
            (
                row.id, row.severity, row.trigger, row.component,
                f"{row.detected_by.severity} {row.detected_by.alert}" if row.detected_by else "-",
                row.title,
            )
            for row in rows
        ],
        "no drills",
    )  # fmt: skip


@drill.command("faults")
@AS_JSON
def drill_faults(as_json: bool) -> None:
    """List the faults of drills, with their parameters.

    Each parameter has a name, a type with its range, a default and a meaning.

    \b
    Example: fleetops drill faults
    """
    from lab.clients.documents import as_builtins
    from lab.drills.catalogue_data import faults

    rows = faults()
    if as_json:
        print_json(as_builtins(rows))
        return
    for fault in rows:
        click.echo(f"{fault.kind}: {fault.about}")
        for parameter in fault.parameters:
            default = "" if parameter.required else f", default {parameter.default}"
            click.echo(f"    {parameter.name}: {parameter.shape}{default}. {parameter.about}")


@drill.command("run")
@click.argument("drill_id", metavar="ID")
@click.option(
    "--responder",
    type=click.Choice(RESPONDERS),
    default="autopilot",
    show_default=True,
    help="Who responds to the page.",
)
@click.option(
    "--record",
    "record_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the record to this file.",
)
@click.option("--blind", is_flag=True, help="Hide the fault until the verdict; always so for 'random'.")
@click.option(
    "--keep-history", is_flag=True, help="Keep Prometheus' history; earlier incidents may then affect alerts."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the record on standard output, progress on standard error."
)
@click.option("--env", "variables", multiple=True, metavar="NAME", help="Pass this environment variable to PROGRAM.")
@click.option("--picked-by", type=int, hidden=True, help="A file descriptor with ID (lab/drills/run/blind.py).")
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

    Exit status 0 pass, 1 fail, 2 invalid request, 3 void: the machine was too busy for a valid measurement.

    A drill starts with empty history, so that only its fault raises alerts. The fault is undone however the drill ends.
    The ID `random` picks a drill and hides it until the verdict. The responder `command` gives the page to PROGRAM, as
    JSON on standard input, with `fleetops` on its PATH, in an empty directory and with a minimal environment; it is
    always blind. The responders `none`, `wrong` and `peek` (which tries to find out the drill) are negative controls of
    the grading: they must fail.

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
    from lab.drills.run.blind import hide, incidents, picked, revealing
    from lab.drills.run.responders import PROGRAMS
    from lab.drills.runbook.execute import fleetops
    from lab.drills.runner import run_drill
    from lab.drills.spec.drill import find
    from lab.drills.undo.journal import RANDOM

    blind = blind or drill_id == RANDOM or responder in PROGRAMS
    if blind and drill_id != RANDOM:
        hide(drill_id, fleetops())
    if picked_by is not None:
        chosen = picked(picked_by)
        if process := revealing(chosen.id):
            click.echo(f"note: {process} names the drill in its arguments, where a program can read it", err=True)
    else:
        chosen = random.SystemRandom().choice(incidents()) if drill_id == RANDOM else find(drill_id)
    if record_file is not None and not record_file.parent.is_dir():
        raise click.BadParameter(f"the directory {record_file.parent} does not exist", param_hint="--record")
    try:
        document = run_drill(
            chosen,
            responder,
            clients_of_idle_lab(),
            lambda line: click.echo(line, err=as_json),
            program=program,
            variables=variables,
            blind=blind,
            keep_history=keep_history,
        )
    except KeyboardInterrupt:
        raise LabError("the drill was stopped; its changes were undone") from None
    file = record.keep(document, home())
    verdict = document.verdict
    if record_file is not None and not verdict.void:
        file = record_file
        record.write(document, record_file)
    if as_json:
        click.echo(json.dumps(as_builtins(document)))
    else:
        click.echo("")
        for line in summary(document):
            click.echo(line)
        click.echo(f"record    {file}")
    if verdict.void:
        raise Void(f"drill {chosen.id} is void: {verdict.why}")
    if verdict.passed:
        return 0
    click.echo(f"fleetops: drill {chosen.id} failed: {verdict.why}", err=True)
    return 1


@drill.command("undo")
def drill_undo() -> None:
    """Undo the changes of a killed drill.

    The next drill and the next `fleetops up` do this, too.

    \b
    Example: fleetops drill undo
    """
    from lab.drills.undo.journal import journal_path, running, undo_left_over

    if running(home()):
        raise LabError("a drill is running; use `fleetops drill stop`")
    left = journal_path(home()).exists()
    for line in undo_left_over(clients()):
        click.echo(line)
    click.echo("the changes of the drill are undone" if left else "nothing to undo")


@drill.command("stop")
def drill_stop() -> None:
    """Stop the running drill, and undo its changes.

    Works from any terminal, as Ctrl-C does where the drill runs. Undoes the changes of a killed drill, too.

    \b
    Example: fleetops drill stop
    """
    from lab.drills.run.stoppable import give_up

    click.echo(give_up(clients()))


drill.add_command(run_all)
