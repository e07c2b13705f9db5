"""`fleetops slo`: rules from specs, and the checks that they hold."""

from __future__ import annotations

from pathlib import Path

import click

from lab.errors import LabError, UsageError
from lab.slo import check, generate
from lab.slo.library import load_windows
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
def generate_command(spec: Path | None, windows: Path | None, out: Path | None, plain: bool) -> None:
    """Write the Prometheus rules of one spec, or of the whole repository for production and lab.

    Example: fleetops slo generate --spec rules/slos/feed.yml --out feed.rules.yml
    """
    if spec is None:
        if windows or out or plain:
            raise UsageError("--windows, --out and --plain go with --spec FILE")
        _generate_repository()
        return
    policy = read_windows(windows) if windows else load_windows("production")
    slos = [one for _, found in generate.read_all([spec], plain=plain) for one in found]
    text = generate.render_slos(slos, policy, generate.display(spec))
    generate.check_queries(slos, policy)
    if out is None:
        click.echo(text, nl=False)
    else:
        generate.write_atomically(out, text)
        click.echo(f"{out}: rules of {len(slos)} SLOs", err=True)


def _generate_repository() -> None:
    """Everything is rendered before anything is written, so a refused spec leaves the running rules alone."""
    expected = generate.render_repository()
    for path, text in expected.items():
        generate.write_atomically(path, text)
    for path in generate.stale_files(expected):
        path.unlink()
        click.echo(f"{generate.display(path)}: deleted, it belongs to no spec")
    click.echo(f"{len(expected)} rule files are up to date")


@slo.command("check")
def check_command() -> None:
    """Hold the committed rules against their specs, promtool's parser and their tests.

    Example: fleetops slo check
    """
    drifted = list(check.drift())
    if drifted:
        raise LabError("; ".join(drifted))
    files = check.check_rules()
    click.echo(f"{files} rule files are in step with their specs and load")
    tests = check.run_tests()
    click.echo(f"{tests} promtool test files pass")
