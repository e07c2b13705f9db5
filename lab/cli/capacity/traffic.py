"""`fleetops traffic`: the load that the clients offer."""

from __future__ import annotations

import click

from lab.cli.shared import AS_JSON, REASON, clients
from lab.cli.text import fields, print_json


@click.group()
def traffic() -> None:
    """Show and set the load that the lab's clients offer.

    \b
    Example: fleetops traffic rate 150
    """


@traffic.command("show")
@AS_JSON
def traffic_show(as_json: bool) -> None:
    """Show the rate, the requests in flight, and additional load.

    \b
    Example: fleetops traffic show
    """
    from lab.control import traffic as control

    state = control.show(clients())
    if as_json:
        print_json(state)
        return
    extra = state["extra"]
    fields(
        [
            ("rate", f"{state['rate']:g} requests/s"),
            ("in flight", f"{state['outstanding']} requests"),
            ("additional load", f"{extra['rate']:g} requests/s of {extra['client_id']}" if extra else "none"),
        ]
    )


# Without this setting, click would take a negative rate for an unknown option.
@traffic.command("rate", context_settings={"ignore_unknown_options": True})
@click.argument("rate", type=float)
@REASON
def traffic_rate(rate: float, reason: str) -> None:
    """Schedule RATE requests a second (0 to 2000), whatever the answers.

    The rate lasts until the load generator restarts.

    \b
    Example: fleetops traffic rate 150 --reason "load test"
    """
    from lab.control import traffic as control

    old = control.set_rate(clients(), rate, reason)
    click.echo(f"traffic {old:g} → {rate:g} requests/s")
