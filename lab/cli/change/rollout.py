"""`fleetops rollout`: roll out a new version step by step, judged by the SLOs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.cli.shared import AS_JSON, REASON, clients
from lab.cli.text import fields, print_json, table

if TYPE_CHECKING:
    from lab.rollout.journal import Rollout
    from lab.rollout.progress import Progress


@click.group()
def rollout() -> None:
    """Roll out a new version step by step; a judge compares it with the stable one at each step.

    \b
    Example: fleetops rollout start feed --to 1.2.0
    """


@rollout.command()
@click.argument("service")
@click.option("--to", "version", required=True, help="The version to roll out.")
@click.option(
    "--policy", "file", type=click.Path(dir_okay=False, path_type=Path), help="Policy file [rules/policy/rollout.yml]."
)
@REASON
def start(service: str, version: str, file: Path | None, reason: str) -> None:
    """Begin the rollout of a version of SERVICE.

    The weight rises by the policy's ladder as soon as each SLO shows that the version is good enough for the next step,
    and falls to 0 as soon as one shows harm.

    \b
    Example: fleetops rollout start feed --to 1.2.0 --reason "release 1.2.0"
    """
    from lab.rollout import actions
    from lab.rollout.policy import FILE, read_policy

    _show(actions.start(clients(), service, version, read_policy(file or FILE), reason))


@rollout.command()
@AS_JSON
def status(as_json: bool) -> None:
    """Show the current or the last rollout.

    Its step, why it is where it is, and what it did.

    \b
    Example: fleetops rollout status
    """
    from lab.clients.documents import as_builtins
    from lab.rollout import actions, progress

    lab = clients()
    found = actions.current(lab)
    seen = progress.load(lab.home, found)
    if as_json:
        print_json({**as_builtins(found), "progress": as_builtins(seen)})
        return
    _show(found)
    if seen is not None:
        _show_progress(seen)


@rollout.command()
@REASON
def hold(reason: str) -> None:
    """Keep the weight until somebody resumes or aborts.

    Harm still aborts.

    \b
    Example: fleetops rollout hold --reason "waiting for the database migration"
    """
    from lab.rollout import actions

    _show(actions.hold(clients(), reason))


@rollout.command()
@REASON
def resume(reason: str) -> None:
    """Go on with a rollout that is held.

    Its step begins again.

    \b
    Example: fleetops rollout resume
    """
    from lab.rollout import actions

    _show(actions.resume(clients(), reason))


@rollout.command()
@REASON
def abort(reason: str) -> None:
    """Send all clients back to stable, and end the rollout.

    \b
    Example: fleetops rollout abort --reason "customers report wrong feeds"
    """
    from lab.rollout import actions

    _show(actions.abort(clients(), reason))


@rollout.command()
@REASON
def retry(reason: str) -> None:
    """Begin the last rollout again.

    With the same policy, and with other clients first.

    \b
    Example: fleetops rollout retry --reason "the database was slow"
    """
    from lab.rollout import actions

    _show(actions.retry(clients(), reason))


@rollout.command("record")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write.")
def record_(output: Path) -> None:
    """Write the record of the last rollout.

    It has the rollout's events, and the counts that each verdict follows from.

    \b
    Example: fleetops rollout record --output feed-1.2.0.json
    """
    from lab.rollout import actions, record

    made = actions.recorded(clients())
    record.write(made, output)
    click.echo(f"{output}: {made.service} {made.version} {made.outcome}, {len(made.steps)} steps")


@rollout.command("judge")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def judge_(file: Path) -> int:
    """Judge a record again.

    That of a rollout, of a configuration push, or of a change that was refused. Exit status 1 when a verdict does not
    follow from the counts or the budgets.

    \b
    Example: fleetops rollout judge docs/rollouts/feed-1.1.0.json
    """
    from lab.rollout import record

    found = record.load(file)
    for change, decision in record.decisions_of(found).items():
        click.echo(f"{change}: {decision.outcome}, {decision.reason}")
    table(
        ("STEP", "WEIGHT", "VERDICT", "HARM", "REASON"),
        [
            (
                f"{step.step + 1}.{step.attempt}", f"{step.weight_percent:g} %", str(step.verdict),
                f"10^{step.harm_log10:.1f}", step.reason,
            )
            for step in record.steps_of(found)
        ],
        "no step was judged",
        right=("WEIGHT", "HARM"),
    )  # fmt: skip
    problems = list(record.verify(found))
    for problem in problems:
        click.echo(f"{file}: {problem}", err=True)
    return int(bool(problems))


def _show(found: Rollout) -> None:
    state = found.phase if not found.frozen else f"{found.phase}, frozen: {found.frozen}"
    fields(
        [
            ("rollout", f"{found.service} {found.previous} → {found.version}"),
            ("state", state),
            ("weight", f"{found.wanted_percent:g} %, step {found.step + 1} of {len(found.policy.steps_percent)}"),
            ("reason", found.reason),
        ]
    )
    click.echo()
    table(
        ("AT", "STATE", "WEIGHT", "BY", "REASON"),
        [(event.at, event.phase, f"{event.weight_percent:g} %", event.by, event.reason) for event in found.events],
        "nothing yet",
        right=("WEIGHT",),
    )


def _show_progress(seen: Progress) -> None:
    click.echo(
        f"\nverdict so far: {seen.verdict}; evidence of harm 10^{seen.harm_log10:.1f},"
        f" aborts at 10^{seen.harm_threshold_log10:.1f}"
    )
    table(
        ("SLO", "REQUESTS", "BAD", "MUST BE BELOW", "EVIDENCE", "PASSES AT"),
        [
            (
                row.slo, f"{row.requests}", f"{row.bad_requests}", f"{row.bound_ratio:.2%}",
                f"10^{row.health_log10:.1f}", f"10^{seen.health_threshold_log10:.1f}",
            )
            for row in seen.slos
        ],
        "no SLO",
        right=("REQUESTS", "BAD", "MUST BE BELOW", "EVIDENCE", "PASSES AT"),
    )  # fmt: skip
