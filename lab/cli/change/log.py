"""`fleetops change`: the log of the changes, and how they went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lab.cli.shared import AS_JSON, clients
from lab.cli.text import print_json, table

if TYPE_CHECKING:
    from lab.change.log import Figures

WIDEST = 60  # characters of what was changed


@click.group()
def change() -> None:
    """List the changes of the lab: risk class, outcome, and the command that takes each back.

    \b
    Example: fleetops change list
    """


@change.command("list")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Number of the newest changes.")
@AS_JSON
def list_(limit: int, as_json: bool) -> None:
    """Show the newest changes, and the change failure rate of all.

    A rollout is one change, with all its steps. What takes a change back is its outcome, and not another change.

    \b
    Example: fleetops change list --limit 5
    """
    from lab.change import log
    from lab.clients.documents import as_builtins
    from lab.slo.catalogue import LAB, load_windows

    lab = clients()
    every = log.changes(lab.pager.audit(), lab.pager.pages())
    found, shown = log.figures(every), every[: -limit - 1 : -1]
    factor = load_windows(LAB).time_factor
    if as_json:
        figures = {
            "changes": found.changes, "failed": found.failed, "failure_ratio": found.failure_rate,
            "median_recovery_seconds": found.median_recovery_seconds, "factor": factor,
        }  # fmt: skip
        print_json({"changes": [{**as_builtins(row), "failed": row.failed} for row in shown], "figures": figures})
        return
    table(
        ("AT (UTC)", "CLASS", "WHAT", "BY", "OUTCOME", "TAKE BACK"),
        [
            (
                row.at, row.risk, row.what if len(row.what) <= WIDEST else f"{row.what[: WIDEST - 1]}…", row.by,
                row.outcome, row.take_back if row.take_back and row.outcome in log.IN_EFFECT else "-",
            )
            for row in shown
        ],
        "no changes",
    )  # fmt: skip
    if more := len(every) - len(shown):
        click.echo(f"{more} older ones are not shown; use --limit")
    click.echo(_summary(found, factor))


def _summary(found: Figures, factor: int) -> str:
    if found.failure_rate is None:
        return "change failure rate: no finished change"
    text = f"change failure rate: {found.failed} of {found.changes} ({found.failure_rate:.0%})"
    if found.median_recovery_seconds is not None:
        text += f", median recovery time {found.median_recovery_seconds:.1f} s in lab time ({factor}x)"
    return text
