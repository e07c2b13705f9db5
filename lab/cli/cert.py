"""`fleetops cert`: when the certificates inside the lab end, and new ones."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

import click

from lab.cli.shared import AS_JSON, REASON, clients


@click.group()
def cert() -> None:
    """Certificates of the servers inside the lab.

    \b
    Example: fleetops cert show
    """


@cert.command("show")
@AS_JSON
def show(as_json: bool) -> None:
    """Show whose certificate ends when, the first to end first. With --json: name, serial, not_before, not_after.

    \b
    Example: fleetops cert show
    """
    from lab.cli.text import table
    from lab.clients.times import utc_text
    from lab.control import certificates

    found = certificates.shown(clients())
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=1))
        return
    now = time.time()
    table(
        ("SERVER", "ENDS", "LEFT", "SERIAL"),
        [(one.name, utc_text(one.not_after), _left(one.not_after - now), one.serial[:12]) for one in found],
        "no certificates",
    )


@cert.command("rotate")
@click.argument("name")
@REASON
def rotate(name: str, reason: str) -> None:
    """Issue a new certificate to server NAME. Connections that stand go on; new ones are shown the new one.

    \b
    Example: fleetops cert rotate link-db
    """
    from lab.control import certificates

    old, new = certificates.rotate(clients(), name, reason)
    now = time.time()
    click.echo(f"{name}: {_left(old.not_after - now)} left → {_left(new.not_after - now)} left")


def _left(seconds: float) -> str:
    if seconds < 0:
        return f"ended {-seconds:.0f} s ago"
    return f"{seconds:.0f} s" if seconds < 7200 else f"{seconds / 86_400:.1f} days"
