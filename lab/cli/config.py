"""`fleetops config`: versioned settings of the services."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from lab.cli.shared import REASON, clients
from lab.errors import UsageError

if TYPE_CHECKING:
    from lab.stack.configs import Version


@click.group()
def config() -> None:
    """Settings of a service, in versions that can be taken back.

    A service reads its configuration at its start and does not start with one that is wrong.

    \b
    Example: fleetops config rollback feed
    """


@config.command("show")
@click.argument("service")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: current, refused, known, versions.")
def show(service: str, as_json: bool) -> None:
    """Show what is in force for SERVICE, whether a start accepts it, and the versions there were.

    \b
    Example: fleetops config show feed
    """
    from lab.paths import home, ports
    from lab.stack import configs

    program = configs.instances(home(), ports(), service)[0]
    now, refused = configs.current(home(), service), configs.refusal(program)
    history = configs.versions(home(), service)
    if as_json:
        answer = {
            "current": asdict(now),
            "refused": refused,
            "known": configs.settings_of(program),
            "versions": [asdict(one) for one in history],
        }
        click.echo(json.dumps(answer, indent=1))
        return
    for one in (configs.Version(), *history):
        mark = "*" if one.version == now.version else " "
        click.echo(f"{mark} {one.version:>3}  {one.at or '-':<24} {one.author or '-':<16} {_line(one)}  {one.reason}")
    click.echo(f"a start refuses it: {refused}" if refused else "a start accepts it")
    click.echo(f"can be set: {', '.join(configs.settings_of(program))}")


@config.command("push")
@click.argument("service")
@click.argument("changes", nargs=-1, required=True, metavar="KEY=VALUE…")
@REASON
def push(service: str, changes: tuple[str, ...], reason: str) -> None:
    """Put a new version in force for SERVICE, and restart its replicas one by one.

    KEY= takes a setting out. What the service would refuse is refused here, and nothing is changed.

    \b
    Example: fleetops config push feed pool_max=12 --reason "more misses than planned"
    """
    from lab.control import config as verbs
    from lab.telemetry.config import setting

    wanted = {}
    for change in changes:
        key, sign, value = change.partition("=")
        if not sign or not key:
            raise UsageError(f"{change!r} is not KEY=VALUE")
        wanted[key] = setting(value) if value else None
    old, new = verbs.push(clients(), service, wanted, reason)
    click.echo(_change(service, old, new))


@config.command("rollback")
@click.argument("service")
@REASON
def rollback(service: str, reason: str) -> None:
    """Put the version before the present one in force again, and restart the replicas of SERVICE.

    Those that are down anyhow come first. Each rollback goes one version further back.

    \b
    Example: fleetops config rollback feed
    """
    from lab.control import config as verbs

    old, new = verbs.rollback(clients(), service, reason)
    click.echo(_change(service, old, new))


@config.command("test")
@click.argument("service")
@click.option("--refused", is_flag=True, help="The other way round: status 0 when a start would be refused.")
def test(service: str, refused: bool) -> None:
    """Ask SERVICE whether it would start with what is in force.

    Exit status 0 when it would, 1 when it would not.

    \b
    Example: fleetops config test feed --refused
    """
    from lab.paths import home, ports
    from lab.stack import configs

    why = configs.refusal(configs.instances(home(), ports(), service)[0])
    click.echo(f"refused: {why}" if why else "accepted")
    if bool(why) != refused:
        click.get_current_context().exit(1)


def _line(version: Version) -> str:
    return " ".join(f"{key}={value}" for key, value in version.settings.items()) or "(defaults)"


def _change(service: str, old: Version, new: Version) -> str:
    return f"{service} configuration {old.version} ({_line(old)}) → {new.version} ({_line(new)})"
