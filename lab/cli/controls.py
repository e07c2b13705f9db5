"""`fleetops canary`, `flag`, `scale` and `service`: what on-call may change, each change in the audit log."""

from __future__ import annotations

import json

import click

from lab.cli.shared import AS_JSON, REASON, clients


@click.group()
def canary() -> None:
    """How many users the new version of the feed serves.

    \b
    Example: fleetops canary weight 0
    """


@canary.command("weight")
@click.argument("percent", type=float)
@REASON
def canary_weight(percent: float, reason: str) -> None:
    """Send PERCENT (0 to 100) of users to the canary.

    \b
    Example: fleetops canary weight 5 --reason "rollout of 1.1.0"
    """
    from lab.control import actions

    old = actions.set_canary_weight(clients(), percent, reason)
    click.echo(f"canary weight {old:g} % → {percent:g} %")


@click.group()
def flag() -> None:
    """Switches of the gateway: kill switches, on in ordinary times, and emergency modes, off in ordinary times.

    \b
    Example: fleetops flag set profile-writes off
    """


@flag.command("list")
@AS_JSON
def flag_list(as_json: bool) -> None:
    """Show every flag, its state and what it does.

    \b
    Example: fleetops flag list
    """
    from lab.control import actions

    flags = actions.flags(clients())
    if as_json:
        click.echo(
            json.dumps([{"name": n, "enabled": one.enabled, "help": one.help} for n, one in flags.items()], indent=1)
        )
        return
    for name, switch in flags.items():
        click.echo(f"{name:<16} {'on' if switch.enabled else 'off':<4} {switch.help}")


@flag.command("set")
@click.argument("name")
@click.argument("state", type=click.Choice(["on", "off"]))
@REASON
def flag_set(name: str, state: str, reason: str) -> None:
    """Switch flag NAME on or off.

    \b
    Example: fleetops flag set canary off
    """
    from lab.control import actions

    old = actions.set_flag(clients(), name, state == "on", reason)
    click.echo(f"flag {name} {'on' if old else 'off'} → {state}")


@click.command()
@click.argument("service")
@click.argument("replicas", type=int)
@REASON
def scale(service: str, replicas: int, reason: str) -> None:
    """Run REPLICAS of SERVICE.

    New ones are ready before they are routed to; old ones are neither routed to nor scraped any more before they stop.

    \b
    Example: fleetops scale feed 3
    """
    from lab.control import actions

    old = actions.scale(clients(), service, replicas, reason)
    click.echo(f"{service} {old} → {replicas} replicas")


@click.group()
def service() -> None:
    """Restart, freeze, thaw or drain processes.

    \b
    Example: fleetops service restart feed-1
    """


@service.command("restart")
@click.argument("name")
@REASON
def service_restart(name: str, reason: str) -> None:
    """Restart NAME: one process, or a service's replicas one after the other.

    \b
    Example: fleetops service restart user
    """
    from lab.control import actions

    click.echo(f"restarted {', '.join(actions.restart(clients(), name, reason))}")


@service.command("reload")
@click.argument("name")
@REASON
def service_reload(name: str, reason: str) -> None:
    """Write the configuration of NAME anew, rules and scrape targets too, and have it read that while it runs.

    Only prometheus can.

    \b
    Example: fleetops service reload prometheus
    """
    from lab.control import actions

    click.echo(f"{name} has read its configuration again: {actions.reload(clients(), name, reason)} rule groups")


@service.command("pause")
@click.argument("name")
@REASON
def service_pause(name: str, reason: str) -> None:
    """Freeze NAME where it stands: it keeps its connections and answers nothing.

    \b
    Example: fleetops service pause user-1
    """
    from lab.control import actions

    click.echo(
        f"paused {', '.join(actions.pause(clients(), name, reason))}; 'fleetops service resume {name}' undoes it"
    )


@service.command("resume")
@click.argument("name")
@REASON
def service_resume(name: str, reason: str) -> None:
    """Let a frozen NAME go on.

    \b
    Example: fleetops service resume user-1
    """
    from lab.control import actions

    click.echo(f"resumed {', '.join(actions.resume(clients(), name, reason))}")


@service.command("drain")
@click.argument("name")
@REASON
def service_drain(name: str, reason: str) -> None:
    """Have the gateway send the replica NAME nothing more. It runs on; the others carry its share.

    \b
    Example: fleetops service drain feed-1
    """
    from lab.control import actions

    was = actions.drain(clients(), name, reason)
    click.echo(f"{name} {'drained' if was else 'routed to'} → drained; 'fleetops service undrain {name}' undoes it")


@service.command("undrain")
@click.argument("name")
@REASON
def service_undrain(name: str, reason: str) -> None:
    """Have the gateway ask the replica NAME again.

    \b
    Example: fleetops service undrain feed-1
    """
    from lab.control import actions

    was = actions.undrain(clients(), name, reason)
    click.echo(f"{name} {'drained' if was else 'routed to'} → routed to")
