"""`fleetops cache`: what the caches hold, for how long, filling a cold one, and who may do what to it."""

from __future__ import annotations

import json

import click

from lab.cli.shared import AS_JSON, REASON, clients
from lab.errors import LabError


@click.group()
def cache() -> None:
    """The caches: hit ratio, time to live, warming up.

    \b
    Example: fleetops cache stats
    """


@cache.command("stats")
@AS_JSON
def cache_stats(as_json: bool) -> None:
    """Show hits, stale and coalesced answers, and what the feed asks of the DB, over the last seconds.

    \b
    Example: fleetops cache stats
    """
    from lab.control import cache_stats as stats

    rows = stats.read(clients())
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for name, value in rows.items():
        text = "-" if value is None else f"{value:.1%}" if name.endswith("_ratio") else f"{value:g}"
        click.echo(f"{name:<38} {text}")


@cache.command("ttl")
@click.argument("seconds", type=float)
@REASON
def cache_ttl(seconds: float, reason: str) -> None:
    """Let feed pages that are made from now on count as fresh for SECONDS (a fifth more or less).

    \b
    Example: fleetops cache ttl 600
    """
    from lab.control import gateway_settings

    old, new = gateway_settings.change(clients(), gateway_settings.CACHE, {"feed_ttl_seconds": seconds}, reason)
    click.echo(f"feed pages are fresh for {old['feed_ttl_seconds']:g} s → {new['feed_ttl_seconds']:g} s")


@cache.command("warm")
@click.option("--viewers", type=click.IntRange(1, 2000), default=400, show_default=True, help="How many feeds.")
@click.option("--at-once", type=click.IntRange(1, 16), default=3, show_default=True, help="How many at the same time.")
@AS_JSON
@REASON
def cache_warm(viewers: int, at_once: int, as_json: bool, reason: str) -> None:
    """Make the feed pages that are asked for most, unless the cache has them; a few at a time, past the gateway.

    \b
    Example: fleetops cache warm --viewers 200
    """
    from lab.control import cache_warmup

    done = cache_warmup.warm(clients(), viewers, at_once, reason)
    if as_json:
        click.echo(json.dumps(done.as_json(), indent=1))
        return
    click.echo(
        f"{done.pages} feed pages are in the cache, after {done.seconds:g} s"
        + (f"; {done.failed} could not be made" if done.failed else "")
    )


@cache.command("clients")
@click.option("--last", "command", metavar="COMMAND", help="Only those whose last command this was; fails if none.")
@AS_JSON
def cache_clients(command: str | None, as_json: bool) -> None:
    """Show who is connected to the cache, as which account, and the last command of each.

    \b
    Example: fleetops cache clients --last flushall
    """
    from lab.control import cache_access

    found = cache_access.clients(clients(), command)
    if as_json:
        click.echo(json.dumps([one.as_json() for one in found], indent=1))
    for one in found if not as_json else ():
        click.echo(
            f"{one.user:<16} {one.name or '-':<20} {one.address:<22} {one.command:<12} {one.idle_seconds:>5} s ago"
        )
    if command and not found:
        raise LabError(f"nobody who is connected sent {command.lower()} last")


@cache.command("deny")
@click.argument("user")
@click.argument("command")
@REASON
def cache_deny(user: str, command: str, reason: str) -> None:
    """Have the cache refuse COMMAND to the account USER from now on, also on open connections.

    \b
    Example: fleetops cache deny housekeeping flushall
    """
    _allow(user, command, False, reason)


@cache.command("allow")
@click.argument("user")
@click.argument("command")
@REASON
def cache_allow(user: str, command: str, reason: str) -> None:
    """Let the account USER run COMMAND at the cache again.

    \b
    Example: fleetops cache allow housekeeping flushall
    """
    _allow(user, command, True, reason)


def _allow(user: str, command: str, allowed: bool, reason: str) -> None:
    from lab.control import cache_access

    old, new = cache_access.allow(clients(), user, command, allowed, reason)
    click.echo(f"{user} at the cache: {old} → {new}")
