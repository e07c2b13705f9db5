"""`fleetops slo`: rules from specs, and the checks that they hold."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from lab.errors import LabError, UsageError
from lab.slo import check, generate, report, repository
from lab.slo.library import PROFILES, load_specs, load_windows
from lab.slo.prove import repository as proofs
from lab.slo.spec import read_spec
from lab.slo.windows import read_windows

_FILE = click.Path(path_type=Path)


@click.group()
def slo() -> None:
    """Service level objectives: specs in, alert rules and proofs out.

    Example: fleetops slo check
    """


@slo.command("generate")
@click.option("--spec", type=_FILE, help="A Sloth prometheus/v1 spec. Without it: every spec of the repository.")
@click.option("--windows", type=_FILE, help="An AlertWindows file. Without it: production's windows.")
@click.option("--out", type=_FILE, help="Where to write the rules. Without it: standard output.")
@click.option("--plain", is_flag=True, help="Without the cold-start and low-traffic guards: alerts exactly as Sloth's.")
@click.option("--operator", is_flag=True, help="As a PrometheusRule object for the Prometheus operator.")
def generate_command(spec: Path | None, windows: Path | None, out: Path | None, plain: bool, operator: bool) -> None:
    """Write the Prometheus rules of one spec, or of the whole repository for production and lab.

    Example: fleetops slo generate --spec rules/slos/feed.yml --out feed.rules.yml
    """
    if spec is None:
        if windows or out or plain or operator:
            raise UsageError("--windows, --out, --plain and --operator go with --spec FILE")
        _generate_repository()
        return
    policy = read_windows(windows) if windows else load_windows("production")
    slos = [one for _, found in generate.read_all([spec], plain=plain) for one in found]
    name = generate.operator_name(slos) if operator else ""
    text = generate.render_slos(slos, policy, generate.display(spec), operator_name=name)
    generate.check_queries(slos, policy)
    if out is None:
        click.echo(text, nl=False)
    else:
        generate.write_atomically(out, text)
        click.echo(f"{out}: rules of {len(slos)} SLOs", err=True)


def _generate_repository() -> None:
    """Everything is rendered before anything is written, so a refused spec leaves the running rules alone."""
    files, deleted = repository.write_repository()
    for path in deleted:
        click.echo(f"{generate.display(path)}: deleted, it belongs to no spec")
    click.echo(f"{files} generated files are up to date")


@slo.command("check")
def check_command() -> None:
    """Hold the committed rules and proofs against their specs, and let promtool parse and test them.

    Example: fleetops slo check
    """
    drifted = list(check.drift())
    if drifted:
        raise LabError("; ".join(drifted))
    files = check.check_rules()
    click.echo(f"{files} rule files are in step with their specs and load")
    _run(proofs.proof_files())


@slo.command("prove")
@click.argument("names", nargs=-1)
def prove_command(names: tuple[str, ...]) -> None:
    """Run the promtool proofs, in parallel: all of them, or those whose file name holds one of NAMES.

    Example: fleetops slo prove lab-feed
    """
    paths = [path for path in proofs.proof_files() if not names or any(name in path.name for name in names)]
    if not paths:
        raise UsageError(f"no proof has {' or '.join(names)} in its name; they are in rules/tests")
    _run(paths)


@slo.command("report")
@click.option("--windows", type=_FILE, help="An AlertWindows file. Without it: the lab's and production's.")
@click.option("--spec", type=_FILE, help="A spec file. Without it: every spec of the repository.")
@click.option("--json", "as_json", is_flag=True, help="One object an SLO and set of windows.")
def report_command(windows: Path | None, spec: Path | None, as_json: bool) -> None:
    """Say what each promise means: its budget, and when its alerts fire and resolve at given bad ratios.

    Example: fleetops slo report --windows rules/windows/production.yml
    """
    slos = read_spec(spec) if spec else list(load_specs())
    policies = [read_windows(windows)] if windows else [load_windows(profile) for profile in PROFILES]
    rows = [row for policy in policies for row in report.report(slos, policy)]
    click.echo(json.dumps([asdict(row) for row in rows], indent=1) if as_json else report.as_text(rows))


def _run(paths: Sequence[Path]) -> None:
    started = time.monotonic()
    complaints = proofs.run_proofs(paths)
    for path, complaint in complaints.items():
        click.echo(f"{generate.display(path)}:\n{complaint}", err=True)
    if complaints:
        raise LabError(
            f"{len(complaints)} of {len(paths)} proof files fail: {', '.join(path.name for path in complaints)}"
        )
    click.echo(f"{len(paths)} proof files hold ({time.monotonic() - started:.1f} s)")
