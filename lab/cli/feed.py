"""`fleetops feed`: whether the feeds in the cache are right."""

from __future__ import annotations

import click

from lab.cli.shared import REASON, clients


@click.group()
def feed() -> None:
    """Whether the cached feeds are their viewers' own.

    \b
    Example: fleetops feed verify
    """


@feed.command("verify")
@click.option("--wrong", is_flag=True, help="The other way round: status 0 when some are not.")
def verify(wrong: bool) -> None:
    """Look at every cached feed: is it its viewer's own?

    Exit status 0 when all are, 1 when some are not.

    \b
    Example: fleetops feed verify
    """
    from lab.control import feed_integrity

    looked_at, keys = feed_integrity.foreign(clients())
    click.echo(f"{looked_at} cached feeds, {len(keys)} not their viewer's own")
    if bool(keys) != wrong:
        click.get_current_context().exit(1)


@feed.command("reconcile")
@REASON
def reconcile(reason: str) -> None:
    """Take every cached feed out that is not its viewer's own; it is made anew when its viewer comes.

    \b
    Example: fleetops feed reconcile
    """
    from lab.control import feed_integrity

    looked_at, gone = feed_integrity.reconcile(clients(), reason)
    click.echo(f"{looked_at} cached feeds, {gone} taken out")
