"""`fleetops cache`: statistics, time to live, warm-up, connections and permissions of the cache."""

from __future__ import annotations

import click

from lab.cli.shared import AS_JSON, REASON, clients
from lab.cli.text import fields, print_json, table
from lab.errors import LabError


@click.group()
def cache() -> None:
    """Show, warm and protect the caches.

    \b
    Example: fleetops cache stats
    """


@cache.command("stats")
@AS_JSON
def cache_stats(as_json: bool) -> None:
    """Show cache statistics over the last 15 seconds.

    Hit ratios, stale and coalesced answers, refreshes, and the feed's database queries.

    \b
    Example: fleetops cache stats
    """
    from lab.control import cache_stats as stats

    values = stats.read(clients())
    if as_json:
        print_json(values)
        return
    fields([(name, _value(name, value)) for name, value in values.items()])


def _value(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1%}" if name.endswith("_ratio") else f"{value:g}"


@cache.command("ttl")
@click.argument("seconds", type=float)
@REASON
def cache_ttl(seconds: float, reason: str) -> None:
    """Set the time to live of newly cached feeds.

    Each feed gets SECONDS plus or minus a fifth.

    \b
    Example: fleetops cache ttl 600
    """
    from lab.control import gateway_settings

    old, new = gateway_settings.change(clients(), gateway_settings.CACHE, {"feed_ttl_seconds": seconds}, reason)
    click.echo(f"feed time to live {old['feed_ttl_seconds']:g} s → {new['feed_ttl_seconds']:g} s")


@cache.command("warm")
@click.option("--viewers", type=click.IntRange(1, 2000), default=400, show_default=True, help="Number of feeds.")
@click.option("--at-once", type=click.IntRange(1, 16), default=3, show_default=True, help="Concurrent requests.")
@AS_JSON
@REASON
def cache_warm(viewers: int, at_once: int, as_json: bool, reason: str) -> None:
    """Fill the cache with the most requested feeds.

    Requests a few at a time from the replicas, bypassing the gateway.

    \b
    Example: fleetops cache warm --viewers 200
    """
    from lab.control import cache_warmup

    done = cache_warmup.warm(clients(), viewers, at_once, reason)
    if as_json:
        print_json(done)
        return
    failures = f"; {done.failed} failed" if done.failed else ""
    click.echo(f"{done.pages} feeds are cached after {done.seconds:g} s{failures}")


@cache.command("clients")
@click.option("--last", "command", metavar="COMMAND", help="Only those whose last command was COMMAND; fails if none.")
@AS_JSON
def cache_clients(command: str | None, as_json: bool) -> None:
    """Show connections with their account and last command.

    \b
    Example: fleetops cache clients --last flushall
    """
    from lab.control import cache_access

    connections = cache_access.clients(clients(), command)
    if as_json:
        print_json(connections)
    elif connections:
        table(
            ("USER", "CLIENT", "ADDRESS", "LAST COMMAND", "IDLE"),
            [(row.user, row.name or "-", row.address, row.command, f"{row.idle_seconds} s") for row in connections],
            "",
            right=("IDLE",),
        )
    if command and not connections:
        raise LabError(f"no connection has {command.lower()} as its last command")


@cache.command("deny")
@click.argument("user")
@click.argument("command")
@REASON
def cache_deny(user: str, command: str, reason: str) -> None:
    """Deny the account USER the command COMMAND.

    In effect at once, also on open connections.

    \b
    Example: fleetops cache deny housekeeping flushall
    """
    _allow(user, command, False, reason)


@cache.command("allow")
@click.argument("user")
@click.argument("command")
@REASON
def cache_allow(user: str, command: str, reason: str) -> None:
    """Allow the account USER the command COMMAND again.

    \b
    Example: fleetops cache allow housekeeping flushall
    """
    _allow(user, command, True, reason)


def _allow(user: str, command: str, allowed: bool, reason: str) -> None:
    from lab.control import cache_access

    old, new = cache_access.allow(clients(), user, command, allowed, reason)
    click.echo(f"permissions of {user}: {old} → {new}")
