"""`fleetops ratelimit`, `shed`, `retry`, `timeout` and `breaker`: admission control and calls to upstreams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lab.cli.shared import AS_JSON, REASON, clients
from lab.cli.text import fields, print_json

if TYPE_CHECKING:
    from lab.clients.gateway import PartSettings


def show(part: str, as_json: bool) -> None:
    """Print the settings of one part of the gateway."""
    from lab.control import gateway_settings

    values = gateway_settings.show(clients(), part)
    if as_json:
        print_json(values)
        return
    fields([(_option(name), _text(value)) for name, value in values.items()])


def change(part: str, values: PartSettings, reason: str) -> None:
    """Change the given settings of one part (None: not given), and print old and new values."""
    from lab.control import gateway_settings

    given = {name: value for name, value in values.items() if value is not None}
    old, new = gateway_settings.change(clients(), part, given, reason)
    for name, value in new.items():
        click.echo(f"{part} {_option(name)} {_text(old[name])} → {_text(value)}")


def _option(name: str) -> str:
    return name.replace("_", "-")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value) or "none"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


@click.group()
def ratelimit() -> None:
    """Show and set rate limits: of each client, and of all clients together.

    \b
    Example: fleetops ratelimit set --client-per-second 5 --client-burst 10
    """


@ratelimit.command("show")
@AS_JSON
def ratelimit_show(as_json: bool) -> None:
    """Show the rate limits.

    \b
    Example: fleetops ratelimit show
    """
    show("ratelimit", as_json)


@ratelimit.command("set")
@click.option("--global-per-second", type=float, help="Requests a second of all clients together.")
@click.option("--global-burst", type=float, help="Burst of all clients together.")
@click.option("--client-per-second", type=float, help="Requests a second of each client.")
@click.option("--client-burst", type=float, help="Burst of each client.")
@REASON
def ratelimit_set(reason: str, **values: float | None) -> None:
    """Change rate limits; requests over a limit get 429. All token buckets are refilled.

    \b
    Example: fleetops ratelimit set --client-per-second 5 --client-burst 10
    """
    change("ratelimit", values, reason)


@click.group()
def shed() -> None:
    """Show and set load shedding: the limit of requests in flight, and the share of each priority.

    \b
    Example: fleetops shed set --max-inflight 60 --guest-ratio 0
    """


@shed.command("show")
@AS_JSON
def shed_show(as_json: bool) -> None:
    """Show the limit of requests in flight, and its shares.

    Each priority below feed reads may use its share of the limit.

    \b
    Example: fleetops shed show
    """
    show("shed", as_json)


@shed.command("set")
@click.option("--max-inflight", type=int, help="Maximum number of requests in flight; feed reads may use all of it.")
@click.option("--user-read-ratio", type=float, help="Share of it for profile reads.")
@click.option("--write-ratio", type=float, help="Share of it for writes.")
@click.option("--guest-ratio", type=float, help="Share of it for anonymous clients.")
@REASON
def shed_set(reason: str, **values: float | None) -> None:
    """Change the limit of requests in flight, or its shares.

    Requests over the limit get 503, those of anonymous clients 429.

    \b
    Example: fleetops shed set --max-inflight 60 --guest-ratio 0
    """
    change("shed", values, reason)


@click.group()
def retry() -> None:
    """Show and set the retries of the gateway's calls to upstreams, and their budget.

    \b
    Example: fleetops retry set --budget-ratio 0.1
    """


@retry.command("show")
@AS_JSON
def retry_show(as_json: bool) -> None:
    """Show the retry policy. A budget ratio of 5 means no limit.

    \b
    Example: fleetops retry show
    """
    show("retry", as_json)


@retry.command("set")
@click.option("--max-retries", type=int, help="Retries of one request, 0 to 5.")
@click.option("--budget-ratio", type=float, help="Maximum ratio of retries to requests over 10 s; 5 means no limit.")
@click.option("--on", metavar="CAUSES", help="Failures to retry, comma-separated: unreachable, timeout, unavailable.")
@REASON
def retry_set(max_retries: int | None, budget_ratio: float | None, on: str | None, reason: str) -> None:
    """Change which failed reads are retried. A write is never retried once it may have started.

    \b
    Example: fleetops retry set --max-retries 1 --on unreachable --budget-ratio 0.1
    """
    causes = None if on is None else [cause.strip() for cause in on.split(",") if cause.strip()]
    change("retry", {"max_retries": max_retries, "budget_ratio": budget_ratio, "on": causes}, reason)


@click.group()
def timeout() -> None:
    """Show and set how long the gateway waits for each upstream.

    \b
    Example: fleetops timeout set feed 3
    """


@timeout.command("show")
@AS_JSON
def timeout_show(as_json: bool) -> None:
    """Show the timeout of each upstream, in seconds.

    \b
    Example: fleetops timeout show
    """
    show("timeouts", as_json)


@timeout.command("set")
@click.argument("upstream")
@click.argument("seconds", type=float)
@REASON
def timeout_set(upstream: str, seconds: float, reason: str) -> None:
    """Set the timeout of calls to UPSTREAM.

    It applies to each attempt; after it, the call is retried or gets 504.

    \b
    Example: fleetops timeout set feed 3
    """
    change("timeouts", {upstream: seconds}, reason)


@click.group()
def breaker() -> None:
    """Show and set circuit breakers, which stop calls to a failing upstream.

    While user's breaker is open, feeds are built without the user service (degraded feed); while feed-canary's is open,
    every user gets the stable version.

    \b
    Example: fleetops breaker set user open
    """


@breaker.command("show")
@AS_JSON
def breaker_show(as_json: bool) -> None:
    """Show the mode of every circuit breaker.

    \b
    Example: fleetops breaker show
    """
    show("breakers", as_json)


@breaker.command("set")
@click.argument("upstream")
@click.argument("mode", type=click.Choice(["off", "auto", "open"]))
@REASON
def breaker_set(upstream: str, mode: str, reason: str) -> None:
    """Set the circuit breaker of UPSTREAM.

    off never trips; auto trips when half of the calls fail; open rejects all calls.

    \b
    Example: fleetops breaker set user open
    """
    change("breakers", {upstream: mode}, reason)
