"""`fleetops drill all`: run the whole catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lab.cli.shared import clients_of_idle_lab
from lab.cli.text import print_json, seconds, table
from lab.errors import LabError, NotRunning
from lab.paths import home

if TYPE_CHECKING:
    from lab.drills.campaign import Result, Run


@click.command("all")
@click.option(
    "--controls", is_flag=True, help="Run the negative controls of the grading instead: responders none and wrong."
)
@click.option("--fresh", is_flag=True, help="Start again instead of resuming.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the results on standard output, progress on standard error."
)
def run_all(controls: bool, fresh: bool, as_json: bool) -> int:
    """Run all drills, and update the committed records.

    Exit status 0 when every run ends as expected. Every drill must pass with the autopilot; with --controls, every
    drill must fail. A void run (the machine was too busy) is repeated once. A campaign that was stopped, or
    whose results were not all as expected, is resumed with the missing and the unexpected runs.

    \b
    Example: fleetops drill all
    """
    from lab.drills import campaign
    from lab.drills.spec.drill import catalogue

    runs = campaign.plan(catalogue(), controls=controls)
    state = campaign.Campaign(home(), controls=controls)
    if fresh:
        state.clear()
    missing = state.resume(runs)
    if len(missing) < len(runs):
        click.echo(f"resuming: {len(runs) - len(missing)} of {len(runs)} runs are done", err=True)
    for number, run in enumerate(missing, start=len(runs) - len(missing) + 1):
        click.echo(f"\n[{number}/{len(runs)}] {run.drill.id} {run.drill.title} ({run.responder})", err=True)
        result = _run(run)
        if result.void:
            click.echo(f"VOID, repeated: {result.why}", err=True)
            result = _run(run)
        state.add(result)
        click.echo(f"{result.outcome}: {result.why or 'passed'}", err=True)
    results = [state.results[run.key] for run in runs]
    if as_json:
        print_json([{**vars(row), "late_seconds": row.late_seconds} for row in results])
    else:
        _print_campaign(results)
    if not all(row.as_expected for row in results):
        click.echo("run it again to repeat only the runs that were not as expected", err=True)
        return 1
    state.clear()
    return 0


def _run(run: Run) -> Result:
    """One run of a campaign; writes its record."""
    from lab.drills import campaign
    from lab.drills.evidence import record
    from lab.drills.runner import run_drill
    from lab.paths import RECORDS

    try:
        document = run_drill(run.drill, run.responder, clients_of_idle_lab(), lambda line: click.echo(line, err=True))
    except KeyboardInterrupt:
        raise LabError("stopped; the drill was undone, and `fleetops drill all` goes on from here") from None
    except NotRunning:
        raise
    except LabError as error:
        return campaign.failure(run, error)
    record.keep(document, home())
    campaign.keep_record(document, run, RECORDS)
    return campaign.result(run, document)


def _print_campaign(results: list[Result]) -> None:
    from lab.drills.campaign import summary

    click.echo("")
    table(
        ("DRILL/RESPONDER", "EXPECTED", "VERDICT", "PREDICTED", "PAGED", "LATE BY", "RECOVERED", "REASON"),
        [
            (
                row.key, "yes" if row.as_expected else "NO", row.verdict,
                seconds(row.predicted_seconds), seconds(row.page_seconds), seconds(row.late_seconds),
                seconds(row.mttr_seconds), row.why[:60],
            )
            for row in results
        ],
        "no drills",
        right=("PREDICTED", "PAGED", "LATE BY", "RECOVERED"),
    )  # fmt: skip
    for line in summary(results):
        click.echo(line)
