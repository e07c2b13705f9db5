"""`fleetops slo`: rules from specs, and the checks that they hold."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

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
    """Service level objectives: specs in, alert rules and proofs out.

    Example: fleetops slo check
    """


@slo.command("generate")
@click.option("--spec", type=_FILE, help="A Sloth prometheus/v1 spec. Without it: every spec of the repository.")
@click.option("--windows", type=_FILE, help="An AlertWindows file. Without it: production's windows.")
@click.option("--out", type=_FILE, help="Where to write the rules. Without it: standard output.")
@click.option("--plain", is_flag=True, help="Without the cold-start and low-traffic guards: alerts exactly as Sloth's.")
@click.option("--operator", is_flag=True, help="As a PrometheusRule object for the Prometheus operator.")
@click.option("--name", default="", help="The object's name. Without it: after the spec's first SLO.")
@click.option("--namespace", default="", help="The object's namespace. Without it: where it is applied.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label of the object; may be repeated.")
def generate_command(
    spec: Path | None, windows: Path | None, out: Path | None, plain: bool, operator: bool, **meta: Any
) -> None:
    """Write the Prometheus rules of one spec, or of the whole repository for production and lab.

    promtool reads the rules before anything is written. --name, --namespace and --label go with --operator; a
    Prometheus object's ruleSelector chooses by label.

    \b
    Examples: fleetops slo generate --spec rules/slos/feed.yml --out feed.rules.yml
              fleetops slo generate --spec feed.yml --operator --namespace monitoring --label release=prometheus
    """
    if spec is None:
        if windows or out or plain or operator or any(meta.values()):
            raise UsageError("the options of generate go with --spec FILE")
        _generate_repository()
        return
    if any(meta.values()) and not operator:
        raise UsageError("--name, --namespace and --label are of an object; give --operator with them")
    policy = read_windows(windows) if windows else load_windows("production")
    slos = [one for _, found in generate.read_all([spec], plain=plain) for one in found]
    wrapped = metadata(slos, **meta) if operator else None
    rules = generate.rule_file(slos, policy, generate.display(spec), operator=wrapped)
    check_loadable([rules])
    if out is None:
        click.echo(rules.text.encode(), nl=False)  # the bytes that were checked, whatever the locale
    else:
        generate.write_output(out, rules.text, inputs=[spec, *([windows] if windows else [])])
        click.echo(f"{out}: rules of {len(slos)} SLOs", err=True)


def _generate_repository() -> None:
    """Everything is rendered before anything is written, so a refused spec leaves the running rules alone."""
    files, deleted = generated.write_all()
    for path in deleted:
        click.echo(f"{generate.display(path)}: deleted, it belongs to no spec")
    click.echo(f"{files} generated files are up to date")


@slo.command("check")
@click.option("--no-proofs", is_flag=True, help="Compare and load the files; 'fleetops slo prove' runs the proofs.")
def check_command(no_proofs: bool) -> None:
    """Hold the committed rules and proofs against their specs, and let promtool parse and test them.

    Example: fleetops slo check
    """
    drifted = list(check.drift())
    if drifted:
        raise LabError("; ".join(drifted))
    files = check.check_rules()
    click.echo(f"{files} rule files are in step with their specs and load")
    if not no_proofs:
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
    slos = [one for _, found in generate.read_all([spec] if spec else committed().spec_files) for one in found]
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
