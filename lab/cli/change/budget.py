"""`fleetops budget`: what is left of the error budgets, and which changes the policy allows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from lab.cli.shared import AS_JSON, REASON, clients
from lab.cli.text import print_json, table

CHANGE = click.option("--change", required=True, help="rollout, config, schema, rollback or security.")
SERVICE = click.option("--service", required=True, help="The service to be changed.")


@click.group()
def budget() -> None:
    """Show error budgets, and ask whether their policy allows a change.

    \b
    Example: fleetops budget gate --service feed --change rollout
    """


@budget.command()
@AS_JSON
def status(as_json: bool) -> None:
    """Show what is left of each budget, and how fast it burns.

    \b
    Example: fleetops budget status
    """
    from lab.change import ask
    from lab.change.policy import ROLLBACK
    from lab.clients.documents import as_builtins

    lab = clients()
    rows = []
    for service in ask.services():
        decision, budgets = ask.with_budgets(lab, service, ROLLBACK)
        rows += [(service, decision.state, row) for row in budgets]
    overrides = ask.load(lab.home).overrides
    if as_json:
        print_json(
            {
                "budgets": [{"service": service, "state": state, **asdict(row)} for service, state, row in rows],
                "overrides": as_builtins(overrides),
            }
        )
        return
    table(
        ("SERVICE", "STATE", "SLO", "LEFT", "BURN RATE"),
        [(service, state, row.slo, _share(row.remaining_ratio), _times(row.burn_rate)) for service, state, row in rows],
        "no SLO",
        right=("LEFT", "BURN RATE"),
    )
    for row in overrides[-5:]:
        click.echo(f"override: {row.change} of {row.service} by {row.by} until {row.until}: {row.reason}")


@budget.command("gate")
@SERVICE
@CHANGE
@AS_JSON
def gate_(service: str, change: str, as_json: bool) -> int:
    """Say whether the policy allows a change now.

    Exit status 0: allowed, 1: refused, 2: nobody knows.

    \b
    Example: fleetops budget gate --service feed --change rollout
    """
    from lab.change import ask

    decision = ask.ask(clients(), service, change)
    if as_json:
        print_json(asdict(decision))
    else:
        click.echo(f"{decision.outcome}: {decision.reason}")
    return decision.exit_status


@budget.command("record")
@SERVICE
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write.")
def record_(service: str, output: Path) -> None:
    """Write the record of what the policy refuses now.

    It has the budgets that each decision follows from; `fleetops rollout judge` decides again.

    \b
    Example: fleetops budget record --service feed --output refused.json
    """
    import time

    from lab.change import ask
    from lab.change.policy import ROLLBACK, read_policy
    from lab.clients.times import utc_text
    from lab.rollout import record

    _, budgets = ask.with_budgets(clients(), service, ROLLBACK)
    made = record.refusal(service, utc_text(time.time()), read_policy(), budgets)
    record.write(made, output)
    refused = ", ".join(change for change, decision in made.decisions.items() if decision.outcome != "allow")
    click.echo(f"{output}: refused are {refused}")


@budget.command()
@SERVICE
@CHANGE
@click.option("--minutes", type=float, required=True, help="How long the override lasts.")
@REASON
def override(service: str, change: str, minutes: float, reason: str) -> None:
    """Let a kind of change pass for some minutes.

    Although the policy refuses it, so it needs a reason.

    \b
    Example: fleetops budget override --service feed --change rollout --minutes 30 --reason "fixes the outage"
    """
    from lab.change import ask

    made = ask.override(clients(), service, change, minutes, reason)
    click.echo(f"{made.change} of {made.service} passes until {made.until}")


def _share(ratio: float | None) -> str:
    return "unknown" if ratio is None else f"{ratio:.1%}"


def _times(burn: float | None) -> str:
    return "unknown" if burn is None else f"{burn:.1f}x"
