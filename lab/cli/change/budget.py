"""`fleetops budget`: what is left of the error budgets, what spent them, and which changes the policy allows."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab import units
from lab.cli.shared import AS_JSON, REASON, clients
from lab.cli.text import print_json, table

if TYPE_CHECKING:
    from lab.change.gate import Budget

CHANGE = click.option("--change", required=True, help="rollout, config, schema, rollback or security.")
SERVICE = click.option("--service", required=True, help="The service to be changed.")
EXHAUSTED = "EXHAUSTED IN (LAB TIME)"


@click.group()
def budget() -> None:
    """Show error budgets and what spent them, and ask whether their policy allows a change.

    \b
    Example: fleetops budget gate --service feed --change rollout
    """


@budget.command()
@AS_JSON
def status(as_json: bool) -> None:
    """Show what is left of each budget, and how fast it burns.

    EXHAUSTED IN is in lab time, if the budget goes on burning as now; at the earliest, because old bad events leave the
    period.

    \b
    Example: fleetops budget status
    """
    from lab.change import ask
    from lab.change.policy import ROLLBACK
    from lab.clients.documents import as_builtins
    from lab.slo.catalogue import services

    lab = clients()
    rows = []
    for service in services():
        decision, budgets = ask.with_budgets(lab, service, ROLLBACK)
        rows += [(service, decision.state, row) for row in budgets]
    memory = ask.load(lab.home)
    if as_json:
        print_json(
            {
                "budgets": [
                    {
                        "service": service,
                        "state": state,
                        **asdict(row),
                        "exhausted_in_seconds": row.exhausted_in_seconds,
                    }
                    for service, state, row in rows
                ],
                "overrides": as_builtins(memory.overrides),
            }
        )
        return
    table(
        ("SERVICE", "STATE", "SLO", "LEFT", "BURN RATE", EXHAUSTED),
        [
            (service, state, row.slo, _share(row.remaining_ratio), _times(row.burn_rate), _exhausted(row))
            for service, state, row in rows
        ],
        "no SLO",
        right=("LEFT", "BURN RATE", EXHAUSTED),
    )
    for service in services():
        for words in ask.shown_overrides(memory, service, time.time()):
            click.echo(f"override for {service}: {words}")


@budget.command("ledger")
@click.option("--service", help="Only the budgets of this service.")
@AS_JSON
def ledger_(service: str | None, as_json: bool) -> None:
    """Show which incidents and changes spent each budget.

    Each bad event of the period is charged once, to what was under way when it happened: a drill before a page, a page
    before a rollout, a rollout before another change; of the same kind, to the one that began last. A page counts from
    the first of the bad events that made it fire, a change for as long after it as the slow-burn page looks back. The
    lines of an SLO sum to its budget, and to what Prometheus says is left; percentages are rounded so that they sum to
    100. Bad events are rates x time, so they are estimates.

    \b
    Example: fleetops budget ledger --service feed
    """
    from lab.change import ask, spending
    from lab.change.policy import read_policy
    from lab.cli.change import ledger
    from lab.slo.catalogue import LAB, load_specs, load_windows, slos_of

    if service is not None:
        ask.require_service(service)
    slos = list(load_specs()) if service is None else slos_of(service)
    bound = read_policy().postmortem_ratio
    found = spending.read(clients(), slos, load_windows(LAB), lambda line: click.echo(f"fleetops: {line}", err=True))
    if as_json:
        print_json([ledger.document(slo, spent, bound) for slo, spent in found])
        return
    table(
        ledger.HEAD, [line for slo, spent in found for line in ledger.lines(slo, spent)], "no SLO", right=ledger.RIGHT
    )
    for slo, spent in found:
        for entry in spent.ledger.above(bound) if spent else ():
            click.echo(f"{entry.span.name} spent more than {bound:.0%} of {slo.sloth_id}: it needs a postmortem")


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
    from lab.change import ask
    from lab.change.policy import ROLLBACK, read_policy
    from lab.clients.times import utc_text
    from lab.rollout import record

    lab = clients()
    before = ask.load(lab.home).states.get(service, "")  # asking stores the new state
    _, budgets = ask.with_budgets(lab, service, ROLLBACK)
    made = record.refusal(service, utc_text(time.time()), read_policy(), before, budgets)
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


def _exhausted(row: Budget) -> str:
    if row.remaining_ratio is not None and row.remaining_ratio <= 0:
        return "exhausted"
    seconds = row.exhausted_in_seconds
    return "-" if seconds is None else units.seconds(seconds).replace(units.NBSP, " ")
