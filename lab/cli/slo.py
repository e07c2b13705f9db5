"""`fleetops slo`: generate, check and prove the alert rules of SLO specs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from lab.cli.text import print_json, table
from lab.errors import LabError, UsageError
from lab.slo import check, generate, generated, report
from lab.slo.catalogue import PROFILES, committed, load_windows
from lab.slo.prove import repository as proofs
from lab.slo.rendering.loadable import check_loadable
from lab.slo.rendering.operator import metadata
from lab.slo.specs.windows import read_windows

_FILE = click.Path(path_type=Path)


@click.group()
def slo() -> None:
    """Generate, check and prove alert rules from SLO specs.

    Example: fleetops slo check
    """


@slo.command("generate")
@click.option("--spec", type=_FILE, help="A Sloth prometheus/v1 spec. Without it: every spec of the repository.")
@click.option("--windows", type=_FILE, help="An AlertWindows file. Without it: production's windows.")
@click.option("--out", type=_FILE, help="Output file. Without it: standard output.")
@click.option("--plain", is_flag=True, help="Omit the cold-start and low-traffic guards, as Sloth does.")
@click.option("--operator", is_flag=True, help="Write a PrometheusRule object for the Prometheus operator.")
@click.option("--name", default="", help="The object's name. Without it: derived from the first SLO.")
@click.option("--namespace", default="", help="The object's namespace. Without it: none.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label of the object; may be repeated.")
def generate_command(
    spec: Path | None, windows: Path | None, out: Path | None, plain: bool, operator: bool, **meta: Any
) -> None:
    """Generate the Prometheus rules of SLO specs.

    Without --spec, generates all rules of the repository, for production and lab. promtool checks the rules before they
    are written. --name, --namespace and --label need --operator; the ruleSelector of a Prometheus object selects by
    label.

    \b
    Examples: fleetops slo generate --spec rules/slos/feed.yml --out feed.rules.yml
              fleetops slo generate --spec feed.yml --operator --namespace monitoring --label release=prometheus
    """
    if spec is None:
        if windows or out or plain or operator or any(meta.values()):
            raise UsageError("these options need --spec FILE")
        _generate_repository()
        return
    if any(meta.values()) and not operator:
        raise UsageError("--name, --namespace and --label describe an operator object; give --operator with them")
    policy = read_windows(windows) if windows else load_windows("production")
    slos = [slo for _, slos in generate.read_all([spec], plain=plain) for slo in slos]
    rules = generate.rule_file(
        slos, policy, generate.display(spec), operator=metadata(slos, **meta) if operator else None
    )
    check_loadable([rules])
    if out is None:
        click.echo(rules.text.encode(), nl=False)  # exactly the checked bytes, whatever the locale
    else:
        generate.write_output(out, rules.text, inputs=[spec, *([windows] if windows else [])])
        click.echo(f"{out}: rules of {len(slos)} SLOs", err=True)


def _generate_repository() -> None:
    """Generate all files of the repository. An invalid spec raises before anything is written."""
    files, deleted = generated.write_all()
    for path in deleted:
        click.echo(f"{generate.display(path)}: deleted, it has no spec")
    click.echo(f"{files} generated files are up to date")


@slo.command("check")
@click.option("--no-proofs", is_flag=True, help="Compare and load the files; 'fleetops slo prove' runs the proofs.")
def check_command(no_proofs: bool) -> None:
    """Check that the committed rules match their specs.

    promtool then checks the rules and runs the proofs.

    Example: fleetops slo check
    """
    drifted = list(check.drift())
    if drifted:
        raise LabError("; ".join(drifted))
    files = check.check_rules()
    click.echo(f"{files} rule files match their specs and load")
    if not no_proofs:
        _run(proofs.proof_files())


@slo.command("prove")
@click.argument("names", nargs=-1)
def prove_command(names: tuple[str, ...]) -> None:
    """Run the promtool proofs in parallel.

    All of them, or those with one of NAMES in their file name.

    Example: fleetops slo prove lab-feed
    """
    paths = [path for path in proofs.proof_files() if not names or any(name in path.name for name in names)]
    if not paths:
        raise UsageError(f"no proof file in rules/tests has {' or '.join(names)} in its name")
    _run(paths)


@slo.command("report")
@click.option("--windows", type=_FILE, help="An AlertWindows file. Without it: the lab's and production's.")
@click.option("--spec", type=_FILE, help="A spec file. Without it: every spec of the repository.")
@click.option("--json", "as_json", is_flag=True, help="A list with one object per SLO and windows.")
def report_command(windows: Path | None, spec: Path | None, as_json: bool) -> None:
    """Show error budgets, and when alerts fire and resolve.

    For each SLO, at given bad ratios.

    Example: fleetops slo report --windows rules/windows/production.yml
    """
    slos = [slo for _, slos in generate.read_all([spec] if spec else committed().spec_files) for slo in slos]
    policies = [read_windows(windows)] if windows else [load_windows(profile) for profile in PROFILES]
    rows = [row for policy in policies for row in report.report(slos, policy)]
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    for number, row in enumerate(rows):
        if number:
            click.echo()
        _print_report(row)


def _print_report(row: report.Row) -> None:
    budget = f"{row.objective_percent} %, budget {_duration(row.budget_seconds)} of outage"
    factor = f", lab time (1 s is {row.time_factor} s of production)" if row.time_factor != 1 else ""
    click.echo(f"{row.sloth_id}: {budget}, windows {row.windows}{factor}")
    if row.unreachable:
        click.echo(f"can never fire: {', '.join(row.unreachable)}")
    table(
        ("BAD RATIO", "ALERT", "FIRES AFTER", "TIER", "RESOLVES AFTER"),
        [
            (
                f"{cell.bad_ratio:.2%}", cell.severity, _duration(cell.detection_seconds), cell.tier or "-",
                _duration(cell.reset_seconds),
            )
            for cell in row.cells
        ],
        "no alerts",
        right=("BAD RATIO", "FIRES AFTER", "RESOLVES AFTER"),
    )  # fmt: skip


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _run(paths: Sequence[Path]) -> None:
    started = time.monotonic()
    failures = proofs.run_proofs(paths)
    for path, output in failures.items():
        click.echo(f"{generate.display(path)}:\n{output}", err=True)
    if failures:
        raise LabError(f"{len(failures)} of {len(paths)} proof files fail: {', '.join(path.name for path in failures)}")
    click.echo(f"{len(paths)} proof files pass ({time.monotonic() - started:.1f} s)")
