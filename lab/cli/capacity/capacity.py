"""`fleetops capacity`: measure the capacity of the running lab, and plan with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.cli.shared import AS_JSON, clients_of_idle_lab
from lab.cli.text import print_json, table
from lab.errors import UsageError
from lab.paths import home

if TYPE_CHECKING:
    from lab.capacity.documents import Sweep


@click.group()
def capacity() -> None:
    """Measure the capacity of the lab, show it, and plan with it.

    \b
    Examples:
      fleetops capacity show
      fleetops capacity plan --feed 900 --user 600 --burst 1.5 --headroom 0.3
    """


@capacity.command("sweep")
@click.option("--config", "names", multiple=True, metavar="NAME", help="Only these configurations; repeatable.")
@click.option("--minutes", default=40.0, type=click.FloatRange(1, 600), show_default=True, help="Time for the sweep.")
@click.option("--blocks", type=click.IntRange(1, 100), help="Blocks of steps, instead of as many as fit the time.")
@click.option("--steps", type=click.IntRange(1, 10000), help="Stop after so many steps; the same command goes on.")
@click.option("--seed", default=1, show_default=True, help="Seed of the order of the steps.")
@click.option("--fresh", is_flag=True, help="Discard an unfinished sweep instead of resuming it.")
@click.option("--record", type=click.Path(dir_okay=False, path_type=Path), help="JSON file for the figures.")
@click.option("--repeat", is_flag=True, help="Add this sweep to the one in the --record file, as its repetition.")
@AS_JSON
def sweep_command(
    names: tuple[str, ...],
    minutes: float,
    blocks: int | None,
    steps: int | None,
    seed: int,
    fresh: bool,
    record: Path | None,
    repeat: bool,
    as_json: bool,
) -> None:
    """Find the highest load at which every SLO holds.

    Load is offered in steps; a configuration is bracketed, then tested in a staircase around its limit, and the
    configurations take turns in random order. Ctrl-C loses nothing: the lab is put back, and the same command resumes.

    \b
    Examples:
      fleetops capacity sweep                               every configuration, 40 minutes
      fleetops capacity sweep --config default --blocks 2   a first look
    """
    from lab.capacity import figures
    from lab.capacity.configurations import known
    from lab.capacity.journal import finish
    from lab.capacity.sweep import sweep
    from lab.clients.documents import as_builtins

    stored = None
    if repeat:
        if record is None:
            raise UsageError("--repeat needs --record FILE, with the sweep to repeat")
        stored = figures.read(record)
        figures.require_same(stored, [one.name for one in known(names)])
    done, complete = sweep(
        clients_of_idle_lab(), names, minutes, seed, _progress, blocks=blocks, steps=steps, fresh=fresh
    )
    if not complete:
        print_limits(done)
        click.echo(
            f"stopped after {len(done.steps)} steps; the same command without --steps goes on from here", err=True
        )
        return
    if record is not None:
        figures.write(figures.of(done) if stored is None else figures.repeated(stored, done), record)
    finish(home())
    if as_json:
        print_json(as_builtins(done))
        return
    print_limits(done)


def _progress(line: str) -> None:
    click.echo(line, err=True)


def print_limits(done: Sweep) -> None:
    """Print how many steps held by configuration, and the limit so far."""
    from lab.capacity.schedule import limit, verdicts
    from lab.capacity.step import holds

    rows = [
        (name, str(len(found)), str(sum(ok for _, ok in found)), f"{limit(found):.0f}/s")
        for name in done.header.configurations
        if (found := verdicts([step for step in done.counted if step.configuration == name], holds))
    ]
    table(("CONFIGURATION", "STEPS", "HELD", "LIMIT"), rows, "no steps", right=("STEPS", "HELD", "LIMIT"))


@capacity.command("run-up")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--record", type=click.Path(dir_okay=False, path_type=Path), help="JSON file to store them in.")
@AS_JSON
def run_up_command(names: tuple[str, ...], record: Path | None, as_json: bool) -> None:
    """Measure how long before an SLO burns each ticket fires.

    In a run-up one quantity grows step by step until an SLO burns.
    Run-ups: load, threads, pool, cache, database, memory. Each takes 3 to 50 minutes, and the lab is put back.

    \b
    Examples:
      fleetops capacity run-up load
      fleetops capacity run-up --record docs/figures/run_ups.json
    """
    from lab.capacity import figures, run_up
    from lab.capacity.machine import host
    from lab.clients.documents import as_builtins

    rows, lab = [], clients_of_idle_lab()
    for one in run_up.known(names):
        _progress(f"{one.name}: {one.title}")
        rows.append(run_up.measure(lab, one, _progress))
        if record is not None:
            figures.add_run_ups(host(lab), rows, record)
    if as_json:
        print_json([as_builtins(row) for row in rows])
        return
    table(
        ("RUN-UP", "TICKET", "FIRED AFTER", "SLO BURNS AFTER"),
        [
            (one.name, alert, _after(row.fired.get(alert)), _after(row.first_burn(one.precedes[alert])))
            for one, row in zip(run_up.known(names), rows, strict=True)
            for alert in one.precedes
        ],
        "no run-ups",
        right=("FIRED AFTER", "SLO BURNS AFTER"),
    )


def _after(seconds: float | None) -> str:
    return "not" if seconds is None else f"{seconds:.0f} s"


@capacity.command("show")
@AS_JSON
def show(as_json: bool) -> None:
    """Show the measured capacity of each configuration.

    \b
    Example: fleetops capacity show
    """
    from lab.capacity import figures
    from lab.capacity.analysis import Analysis
    from lab.clients.documents import as_builtins

    stored = figures.read()
    if as_json:
        print_json(as_builtins(stored.configurations))
        return
    rows = []
    limits = Analysis(stored.sweep).limits
    for name, each in stored.configurations.items():
        capacity_of, limit = each.capacity, limits[name]
        resource, used = limit.bottleneck
        rows.append(
            (
                name,
                f"{capacity_of.value:.0f}/s",
                f"{capacity_of.low:.0f} to {'?' if capacity_of.high is None else f'{capacity_of.high:.0f}'}",
                limit.first_to_break or "-",
                f"{resource} {used:.0%}",
                f"{limit.cost.seconds * 1000:.1f} ms",
            )
        )
    head = ("CONFIGURATION", "CAPACITY", "95 % INTERVAL", "FIRST TO BREAK", "BOTTLENECK", "CPU/REQUEST")
    table(head, rows, "no configurations", right=("CAPACITY", "CPU/REQUEST"))


@capacity.command("plan")
@click.option("--feed", type=float, metavar="RATE", help="Feed requests per second at the peak.")
@click.option("--user", type=float, metavar="RATE", help="User requests per second at the peak.")
@click.option("--burst", type=float, help="Factor of the bursts above the peak that must be served.")
@click.option("--headroom", type=float, help="Ratio of each resource that stays free in a burst.")
@AS_JSON
def plan_command(
    feed: float | None, user: float | None, burst: float | None, headroom: float | None, as_json: bool
) -> None:
    """Say what a load needs of each resource.

    What is not given is read from rules/policy/capacity.yml.

    \b
    Example: fleetops capacity plan --feed 900 --user 600 --burst 1.5 --headroom 0.3
    """
    from dataclasses import asdict, replace

    from lab.capacity import figures
    from lab.capacity.analysis import Analysis
    from lab.capacity.plan import Planner, check
    from lab.capacity.policy import read_policy

    given = {"feed_per_second": feed, "user_per_second": user, "burst": burst, "headroom": headroom}
    demand = replace(read_policy().demand, **{name: value for name, value in given.items() if value is not None})
    check(demand)
    needs = Planner(Analysis(figures.read().sweep)).plan(demand)
    if as_json:
        print_json([asdict(need) for need in needs])
        return
    rows = [(need.resource, need.shown, need.interval, need.basis, need.term) for need in needs]
    table(("RESOURCE", "NEEDED", "95 % INTERVAL", "BASIS", "DECIDED BY"), rows, "nothing", right=("NEEDED",))
