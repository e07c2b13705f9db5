"""`fleetops ratelimit`, `shed`, `retry`, `timeout` and `breaker`: who may pass, and what happens to calls that fail."""

from __future__ import annotations

import json
from typing import Any

import click

from lab.cli.shared import AS_JSON, REASON, clients


def show(part: str, as_json: bool) -> None:
    """Print one part of the gateway's settings."""
    from lab.control import gateway_settings

    values = gateway_settings.show(clients(), part)
    if as_json:
        click.echo(json.dumps(values, indent=1))
        return
    for name, value in values.items():
        click.echo(f"{_option(name):<20} {_text(value)}")


def change(part: str, values: dict[str, Any], reason: str) -> None:
    """Set what was given of one part, and print old and new."""
    from lab.control import gateway_settings

    given = {name: value for name, value in values.items() if value is not None}
    old, new = gateway_settings.change(clients(), part, given, reason)
    for name, value in new.items():
        click.echo(f"{part} {_option(name)} {_text(old[name])} → {_text(value)}")


def _option(name: str) -> str:
    return name.replace("_", "-")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value) or "nothing"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


@click.group()
def ratelimit() -> None:
    """Quotas: how many requests a second one client, and all together, may make.

    \b
    Example: fleetops ratelimit set --client-per-second 5 --client-burst 10
    """


@ratelimit.command("show")
@AS_JSON
def ratelimit_show(as_json: bool) -> None:
    """Show the quotas.

    \b
    Example: fleetops ratelimit show
    """
    show("ratelimit", as_json)


@ratelimit.command("set")
@click.option("--global-per-second", type=float, help="Of all clients together.")
@click.option("--global-burst", type=float, help="What all together may save up.")
@click.option("--client-per-second", type=float, help="Of each client.")
@click.option("--client-burst", type=float, help="What each client may save up.")
@REASON
def ratelimit_set(reason: str, **values: float | None) -> None:
    """Change quotas; what is over one is answered 429. All buckets start full again.

    \b
    Example: fleetops ratelimit set --client-per-second 5 --client-burst 10
    """
    change("ratelimit", values, reason)


@click.group()
def shed() -> None:
    """Load shedding: how many requests may be in flight, and who is refused first.

    \b
    Example: fleetops shed set --max-inflight 60 --guest-ratio 0
    """


@shed.command("show")
@AS_JSON
def shed_show(as_json: bool) -> None:
    """Show the limit, and the share of it for each priority below feed reads.

    \b
    Example: fleetops shed show
    """
    show("shed", as_json)


@shed.command("set")
@click.option("--max-inflight", type=int, help="Requests in flight at most; feed reads are admitted up to it.")
@click.option("--user-read-ratio", type=float, help="Share of it up to which profile reads are admitted.")
@click.option("--write-ratio", type=float, help="Share of it up to which writes are admitted.")
@click.option("--guest-ratio", type=float, help="Share of it up to which guests are admitted.")
@REASON
def shed_set(reason: str, **values: float | None) -> None:
    """Change when requests are refused: 503 for known clients, 429 for guests.

    \b
    Example: fleetops shed set --max-inflight 60 --guest-ratio 0
    """
    change("shed", values, reason)


@click.group()
def retry() -> None:
    """Retries of the gateway's own calls: how many, after what, and their budget.

    \b
    Example: fleetops retry set --budget-ratio 0.1
    """


@retry.command("show")
@AS_JSON
def retry_show(as_json: bool) -> None:
    """Show the policy; a budget ratio of 5 is no budget.

    \b
    Example: fleetops retry show
    """
    show("retry", as_json)


@retry.command("set")
@click.option("--max-retries", type=int, help="Of one request, 0 to 5.")
@click.option("--budget-ratio", type=float, help="Retries over requests at most, over 10 s; 5 is no budget.")
@click.option("--on", metavar="CAUSES", help="unreachable, timeout, unavailable: comma-separated.")
@REASON
def retry_set(max_retries: int | None, budget_ratio: float | None, on: str | None, reason: str) -> None:
    """Change which failed reads are sent again. Writes never are, once they may have begun.

    \b
    Example: fleetops retry set --max-retries 1 --on unreachable --budget-ratio 0.1
    """
    causes = None if on is None else [cause.strip() for cause in on.split(",") if cause.strip()]
    change("retry", {"max_retries": max_retries, "budget_ratio": budget_ratio, "on": causes}, reason)


@click.group()
def timeout() -> None:
    """How long the gateway waits for each upstream.

    \b
    Example: fleetops timeout set feed 3
    """


@timeout.command("show")
@AS_JSON
def timeout_show(as_json: bool) -> None:
    """Show the seconds it waits, by upstream.

    \b
    Example: fleetops timeout show
    """
    show("timeouts", as_json)


@timeout.command("set")
@click.argument("upstream")
@click.argument("seconds", type=float)
@REASON
def timeout_set(upstream: str, seconds: float, reason: str) -> None:
    """Wait SECONDS for each try at UPSTREAM, then give it up (504, or a retry).

    \b
    Example: fleetops timeout set feed 3
    """
    change("timeouts", {upstream: seconds}, reason)


@click.group()
def breaker() -> None:
    """Circuit breakers: stop asking an upstream that does not answer.

    While user's is open, the feed is made without asking it (degraded feed); while feed-canary's is, everyone is
    sent to stable.

    \b
    Example: fleetops breaker set user open
    """


@breaker.command("show")
@AS_JSON
def breaker_show(as_json: bool) -> None:
    """Show every breaker's mode.

    \b
    Example: fleetops breaker show
    """
    show("breakers", as_json)


@breaker.command("set")
@click.argument("upstream")
@click.argument("mode", type=click.Choice(["off", "auto", "open"]))
@REASON
def breaker_set(upstream: str, mode: str, reason: str) -> None:
    """Set UPSTREAM's breaker: off never trips, auto trips when half of the calls fail, open refuses all.

    \b
    Example: fleetops breaker set user open
    """
    change("breakers", {upstream: mode}, reason)
