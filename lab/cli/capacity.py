"""`fleetops capacity`: measure the capacity of the running lab, and plan with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.atomic_write import write_json
from lab.cli.shared import AS_JSON, clients
from lab.cli.text import print_json, table
from lab.paths import home

if TYPE_CHECKING:
    from lab.capacity.documents import Sweep


@click.group()
def capacity() -> None:
    """Measure the capacity of the lab.

    \b
    Example: fleetops capacity sweep --minutes 40
    """


@capacity.command("sweep")
@click.option("--config", "names", multiple=True, metavar="NAME", help="Only these configurations; repeatable.")
@click.option("--minutes", default=40.0, type=click.FloatRange(1, 600), show_default=True, help="Time for the sweep.")
@click.option("--blocks", type=click.IntRange(1, 100), help="Blocks of steps, instead of as many as fit the time.")
@click.option("--seed", default=1, show_default=True, help="Seed of the order of the steps.")
@click.option("--fresh", is_flag=True, help="Discard an unfinished sweep instead of resuming it.")
@click.option("--record", type=click.Path(dir_okay=False, path_type=Path), help="JSON file to store the sweep in.")
@AS_JSON
def sweep_command(
    names: tuple[str, ...],
    minutes: float,
    blocks: int | None,
    seed: int,
    fresh: bool,
    record: Path | None,
    as_json: bool,
) -> None:
    """Find the highest load at which every SLO holds, for each configuration.

    Load is offered in steps; a configuration is bracketed, then tested in a staircase around its limit, and the
    configurations take turns in random order. Ctrl-C loses nothing: the lab is put back, and the same command resumes.

    \b
    Examples:
      fleetops capacity sweep                               every configuration, 40 minutes
      fleetops capacity sweep --config default --blocks 2   a first look
    """
    from lab.capacity.journal import finish
    from lab.capacity.sweep import sweep
    from lab.clients.documents import as_builtins

    done = sweep(clients(), names, minutes, seed, lambda line: click.echo(line, err=True), blocks=blocks, fresh=fresh)
    if record is not None:
        write_json(record, as_builtins(done))
    finish(home())
    if as_json:
        print_json(as_builtins(done))
        return
    print_limits(done)


def print_limits(done: Sweep) -> None:
    """Print the steps that held and failed by configuration, and a first estimate of each limit."""
    from lab.capacity.schedule import limit
    from lab.capacity.step import holds

    rows = []
    for name in done.header.configurations:
        verdicts = [(step.offered_per_second, holds(step)) for step in done.counted if step.configuration == name]
        if verdicts:
            rows.append((name, str(len(verdicts)), str(sum(ok for _, ok in verdicts)), f"{limit(verdicts):.0f}/s"))
    table(("CONFIGURATION", "STEPS", "HELD", "LIMIT"), rows, "no steps", right=("STEPS", "HELD", "LIMIT"))
