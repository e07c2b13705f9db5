"""`fleetops canary`, `flag`, `scale` and `service`. Every change is in the audit log."""

from __future__ import annotations

import click

from lab.cli.shared import AS_JSON, REASON, clients
from lab.cli.text import print_json, table


@click.group()
def canary() -> None:
    """Set the share of users on the canary version of the feed.

    \b
    Example: fleetops canary weight 0
    """


@canary.command("weight")
@click.argument("percent", type=click.FloatRange(0, 100))
@REASON
def canary_weight(percent: float, reason: str) -> None:
    """Send PERCENT (0 to 100) of users to the canary.

    A higher weight than before asks the error-budget policy first (`fleetops budget gate`).

    \b
    Example: fleetops canary weight 5 --reason "rollout of 1.1.0"
    """
    from lab.change import ask
    from lab.change.policy import ROLLOUT
    from lab.control import actions
    from lab.names import UPSTREAM_FEED

    lab = clients()
    if percent > lab.gateway.canary_weight():
        ask.require(lab, UPSTREAM_FEED, ROLLOUT)
    old = actions.set_canary_weight(lab, percent, reason)
    click.echo(f"canary weight {old:g} % → {percent:g} %")


@click.group()
def flag() -> None:
    """List and set the gateway's feature flags: kill switches, normally on, and emergency modes, normally off.

    \b
    Example: fleetops flag set profile-writes off
    """


@flag.command("list")
@AS_JSON
def flag_list(as_json: bool) -> None:
    """Show every feature flag, its state and its purpose.

    \b
    Example: fleetops flag list
    """
    from lab.control import actions

    flags = actions.flags(clients())
    if as_json:
        print_json([{"name": name, "enabled": flag.enabled, "help": flag.help} for name, flag in flags.items()])
        return
    table(
        ("FLAG", "STATE", "PURPOSE"),
        [(name, "on" if flag.enabled else "off", flag.help) for name, flag in flags.items()],
        "no flags",
    )


@flag.command("set")
@click.argument("name")
@click.argument("state", type=click.Choice(["on", "off"]))
@REASON
def flag_set(name: str, state: str, reason: str) -> None:
    """Switch feature flag NAME on or off.

    Switching the canary on while it has a weight asks the error-budget policy first (`fleetops budget gate`).

    \b
    Example: fleetops flag set canary off
    """
    from lab.change import ask
    from lab.change.policy import ROLLOUT
    from lab.control import actions
    from lab.names import UPSTREAM_FEED

    lab = clients()
    if (name, state) == ("canary", "on") and lab.gateway.canary_weight() > 0:
        ask.require(lab, UPSTREAM_FEED, ROLLOUT)
    old = actions.set_flag(lab, name, state == "on", reason)
    click.echo(f"flag {name} {'on' if old else 'off'} → {state}")


@click.command()
@click.argument("service")
@click.argument("replicas", type=int)
@REASON
def scale(service: str, replicas: int, reason: str) -> None:
    """Run REPLICAS of SERVICE.

    New replicas are ready before they get traffic; removed ones are neither routed to nor scraped when they stop.

    \b
    Example: fleetops scale feed 3
    """
    from lab.control import actions

    old = actions.scale(clients(), service, replicas, reason)
    click.echo(f"{service} {old} → {replicas} replicas")


@click.group()
def service() -> None:
    """Restart, reload, pause, resume and drain processes.

    \b
    Example: fleetops service restart feed-1
    """


@service.command("restart")
@click.argument("name")
@REASON
def service_restart(name: str, reason: str) -> None:
    """Restart a process, or the replicas of a service.

    Replicas restart one at a time, each ready before the next is stopped.

    \b
    Example: fleetops service restart user
    """
    from lab.control import actions

    click.echo(f"restarted {', '.join(actions.restart(clients(), name, reason))}")


@service.command("reload")
@click.argument("name")
@REASON
def service_reload(name: str, reason: str) -> None:
    """Reload the configuration of NAME while it runs.

    Only for prometheus: regenerates its configuration and scrape targets, and reloads them and the rules.

    \b
    Example: fleetops service reload prometheus
    """
    from lab.control import actions

    click.echo(f"reloaded {name}: {actions.reload(clients(), name, reason)} rule groups")


@service.command("pause")
@click.argument("name")
@REASON
def service_pause(name: str, reason: str) -> None:
    """Freeze a process, or the replicas of a service (SIGSTOP).

    It keeps its connections and answers nothing.

    \b
    Example: fleetops service pause user-1
    """
    from lab.control import actions

    click.echo(
        f"paused {', '.join(actions.pause(clients(), name, reason))}; `fleetops service resume {name}` undoes it"
    )


@service.command("resume")
@click.argument("name")
@REASON
def service_resume(name: str, reason: str) -> None:
    """Resume what is frozen (SIGCONT).

    \b
    Example: fleetops service resume user-1
    """
    from lab.control import actions

    click.echo(f"resumed {', '.join(actions.resume(clients(), name, reason))}")


@service.command("drain")
@click.argument("name")
@REASON
def service_drain(name: str, reason: str) -> None:
    """Take the replica NAME out of the gateway's rotation. It keeps running.

    \b
    Example: fleetops service drain feed-1
    """
    from lab.control import actions

    before = "drained" if actions.drain(clients(), name, reason) else "in rotation"
    click.echo(f"{name} {before} → drained; `fleetops service undrain {name}` undoes it")


@service.command("undrain")
@click.argument("name")
@REASON
def service_undrain(name: str, reason: str) -> None:
    """Put the replica NAME back into the gateway's rotation.

    \b
    Example: fleetops service undrain feed-1
    """
    from lab.control import actions

    before = "drained" if actions.undrain(clients(), name, reason) else "in rotation"
    click.echo(f"{name} {before} → in rotation")
