"""`fleetops log`: how much is logged, and where it goes when it is too much."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from lab.cli.shared import REASON, clients


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB"


@click.group()
def log() -> None:
    """How much the services log, and how full their logs are.

    \b
    Example: fleetops log level gateway info
    """


@log.command("level")
@click.argument("service")
@click.argument("level", required=False)
@REASON
def level(service: str, level: str | None, reason: str) -> None:
    """Show or set the LEVEL (debug, info, warning, error) of SERVICE, without a restart.

    It holds until the next start, which takes the level from the configuration.

    \b
    Example: fleetops log level gateway info
    """
    from lab.control import logs

    if level is None:
        for name, now in logs.levels(clients(), service).items():
            click.echo(f"{name:<15} {now}")
        return
    for name, old in logs.set_level(clients(), service, level, reason).items():
        click.echo(f"{name} {old} → {level}")


@log.command("rotate")
@click.argument("service")
@REASON
def rotate(service: str, reason: str) -> None:
    """Pack the logs of SERVICE away, compressed, and begin new ones.

    \b
    Example: fleetops log rotate gateway
    """
    from lab.control import logs

    for name, (before, after) in logs.rotate(clients(), service, reason).items():
        click.echo(f"{name} {_mib(before)} → {_mib(after)}")


@log.command("usage")
@click.option("--json", "as_json", is_flag=True, help="A list of objects: process, used_bytes, quota_bytes.")
def usage(as_json: bool) -> None:
    """Show how full the quota of each log is, the fullest first.

    \b
    Example: fleetops log usage
    """
    from lab.paths import home
    from lab.stack import logfiles

    found = logfiles.usage(home())
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=1))
        return
    for one in found:
        share = one.used_bytes / one.quota_bytes
        click.echo(f"{one.process:<15} {_mib(one.used_bytes):>10} of {_mib(one.quota_bytes)}  {share:>4.0%}")
