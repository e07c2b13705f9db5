"""`fleetops cert`: show and rotate the certificates inside the lab."""

from __future__ import annotations

import time
from dataclasses import asdict

import click

from lab.cli.shared import AS_JSON, REASON, clients
from lab.cli.text import print_json, table


@click.group()
def cert() -> None:
    """Show and rotate the certificates of the lab's servers.

    \b
    Example: fleetops cert show
    """


@cert.command("show")
@AS_JSON
def show(as_json: bool) -> None:
    """Show when the certificate of each server expires, earliest first. JSON: name, serial, not_before, not_after.

    \b
    Example: fleetops cert show
    """
    from lab.clients.times import utc_text
    from lab.control import certificates

    served = certificates.shown(clients())
    if as_json:
        print_json([asdict(certificate) for certificate in served])
        return
    now = time.time()
    table(
        ("SERVER", "EXPIRES", "LEFT", "SERIAL"),
        [(row.name, utc_text(row.not_after), _left(row.not_after - now), row.serial[:12]) for row in served],
        "no certificates",
    )


@cert.command("rotate")
@click.argument("name")
@REASON
def rotate(name: str, reason: str) -> None:
    """Issue a new certificate to server NAME. New connections get it; open connections stay open.

    \b
    Example: fleetops cert rotate link-db
    """
    from lab.control import certificates

    old, new = certificates.rotate(clients(), name, reason)
    now = time.time()
    click.echo(f"{name}: {_left(old.not_after - now)} left → {_left(new.not_after - now)} left")


def _left(seconds: float) -> str:
    if seconds < 0:
        return f"expired {-seconds:.0f} s ago"
    return f"{seconds:.0f} s" if seconds < 7200 else f"{seconds / 86_400:.1f} days"
