"""`fleetops log`: log levels, log quotas and rotation."""

from __future__ import annotations

from dataclasses import asdict

import click

from lab.cli.shared import REASON, clients
from lab.cli.text import fields, mib, print_json, table


@click.group()
def log() -> None:
    """Show and change log levels, and rotate logs.

    \b
    Example: fleetops log level gateway info
    """


@log.command("level")
@click.argument("service")
@click.argument("level", required=False)
@REASON
def level(service: str, level: str | None, reason: str) -> None:
    """Show or set the log level of SERVICE, without a restart.

    LEVEL is debug, info, warning or error. It is in effect until the next start, which uses the configuration.

    \b
    Example: fleetops log level gateway info
    """
    from lab.control import logs

    if level is None:
        fields(list(logs.levels(clients(), service).items()))
        return
    for name, old in logs.set_level(clients(), service, level, reason).items():
        click.echo(f"{name} {old} → {level}")


@log.command("rotate")
@click.argument("service")
@REASON
def rotate(service: str, reason: str) -> None:
    """Compress the logs of SERVICE into an archive and start new ones.

    \b
    Example: fleetops log rotate gateway
    """
    from lab.control import logs

    for name, (before, after) in logs.rotate(clients(), service, reason).items():
        click.echo(f"{name} {mib(before)} → {mib(after)}")


@log.command("usage")
@click.option("--json", "as_json", is_flag=True, help="A list of objects: process, used_bytes, quota_bytes.")
def usage(as_json: bool) -> None:
    """Show how full the log quota of each process is, fullest first.

    \b
    Example: fleetops log usage
    """
    from lab.paths import home
    from lab.stack import logfiles

    rows = logfiles.usage(home())
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    table(
        ("PROCESS", "USED", "QUOTA", "RATIO"),
        [
            (row.process, mib(row.used_bytes), mib(row.quota_bytes), f"{row.used_bytes / row.quota_bytes:.0%}")
            for row in rows
        ],
        "no logs",
        right=("USED", "QUOTA", "RATIO"),
    )
