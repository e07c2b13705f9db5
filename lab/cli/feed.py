"""`fleetops feed`: verify and repair the cached feeds."""

from __future__ import annotations

import click

from lab.cli.shared import REASON, clients


@click.group()
def feed() -> None:
    """Verify and repair the cached feeds.

    \b
    Example: fleetops feed verify
    """


@feed.command("verify")
@click.option("--wrong", is_flag=True, help="Invert the exit status: 0 when some feeds are wrong.")
def verify(wrong: bool) -> None:
    """Check that every cached feed belongs to its viewer.

    Exit status 0 when all do, 1 when some do not.

    \b
    Example: fleetops feed verify
    """
    from lab.control import feed_integrity

    checked, keys = feed_integrity.foreign(clients())
    click.echo(f"{checked} cached feeds, {len(keys)} of another viewer")
    if bool(keys) != wrong:
        click.get_current_context().exit(1)


@feed.command("reconcile")
@REASON
def reconcile(reason: str) -> None:
    """Delete cached feeds that belong to another viewer.

    A deleted feed is rebuilt at its viewer's next request.

    \b
    Example: fleetops feed reconcile
    """
    from lab.control import feed_integrity

    checked, deleted = feed_integrity.reconcile(clients(), reason)
    click.echo(f"{checked} cached feeds, {deleted} deleted")
