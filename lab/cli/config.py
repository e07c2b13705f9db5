"""`fleetops config`: versioned settings of the services."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.cli.shared import REASON, clients
from lab.cli.text import print_json, table
from lab.errors import UsageError

if TYPE_CHECKING:
    from lab.stack.configs import Version


@click.group()
def config() -> None:
    """Show, push and roll back the versioned settings of a service.

    A service reads its configuration at its start, and does not start with an invalid one.

    \b
    Example: fleetops config rollback feed
    """


@config.command("show")
@click.argument("service")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: current, refused, known, versions.")
def show(service: str, as_json: bool) -> None:
    """Show the settings of SERVICE, and earlier versions.

    Also checks whether SERVICE would start with its active settings.

    \b
    Example: fleetops config show feed
    """
    from lab.paths import home, ports
    from lab.stack import configs

    program = configs.instances(home(), ports(), service)[0]
    current, refusal = configs.current(home(), service), configs.refusal(program)
    versions = configs.versions(home(), service)
    known = configs.settings_of(program)
    if as_json:
        print_json(
            {
                "current": asdict(current),
                "refused": refusal,
                "known": known,
                "versions": [asdict(version) for version in versions],
            }
        )
        return
    table(
        ("VERSION", "PUSHED (UTC)", "AUTHOR", "SETTINGS", "REASON"),
        [
            (
                f"{version.version}{_note(version, current)}",
                version.at or "-",
                version.author or "-",
                _settings(version),
                version.reason,
            )
            for version in (configs.Version(), *versions)
        ],
        "",
    )
    for replica, version in configs.staged(home(), service).items():
        click.echo(f"staged: {replica} reads version {version.version}; `fleetops config rollback {service}` ends that")
    click.echo(f"invalid, {service} would not start: {refusal}" if refusal else f"valid, {service} would start")
    click.echo(f"settings: {', '.join(known)}")


@config.command("push")
@click.argument("service")
@click.argument("changes", nargs=-1, required=True, metavar="KEY=VALUE…")
@REASON
@click.option("--emergency", is_flag=True, help="Without the error-budget policy and without stages; needs a reason.")
@click.option(
    "--record", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write the record of the push to a file."
)
def push(service: str, changes: tuple[str, ...], reason: str, emergency: bool, file: Path | None) -> int:
    """Push new settings to one replica, then to all.

    The replica is judged by the SLOs against the others, as a canary is (rules/policy/rollout.yml). The push is taken
    back when the replica does harm or does not stay up; then the exit status is 1. KEY= removes a setting. Settings
    that SERVICE would reject are refused, and nothing is changed. The error-budget policy is asked first.

    \b
    Example: fleetops config push feed pool_max=12 --reason "more misses than planned"
    """
    from lab.change.risk import EMERGENCY_REASON
    from lab.control import config as actions
    from lab.rollout import push as staged
    from lab.rollout import record
    from lab.rollout.policy import read_policy
    from lab.telemetry.config import setting

    if emergency and not reason.strip():
        raise UsageError("an emergency change needs a reason: --reason TEXT")
    if file is not None and not file.absolute().parent.is_dir():
        raise UsageError(f"{file} cannot be written: no folder {file.parent}")
    if emergency and file is not None:
        raise UsageError("an emergency push is not judged, so there is nothing to record: leave out --record")
    values = {}
    for change in changes:
        key, sign, value = change.partition("=")
        if not sign or not key:
            raise UsageError(f"{change!r} is not KEY=VALUE")
        values[key] = setting(value) if value else None
    lab = clients()
    if emergency:
        old, new = actions.push(lab, service, values, f"{EMERGENCY_REASON}{reason}")
        click.echo(_change(service, old, new))
        return 0
    made = staged.push(lab, service, values, read_policy(), reason, report=_progress)
    click.echo(f"{service} configuration {made.old_version} → {made.new_version}: {made.outcome}, {made.reason}")
    if file is not None:
        record.write(made, file)
    return int(made.outcome != "pushed")


def _progress(text: str) -> None:
    with suppress(OSError):  # nobody reads it any more
        click.echo(text, err=True)


@config.command("rollback")
@click.argument("service")
@REASON
def rollback(service: str, reason: str) -> None:
    """Activate the previous version, and restart the replicas.

    The replicas of SERVICE restart one at a time, those that are down first. Each rollback goes back one version.

    \b
    Example: fleetops config rollback feed
    """
    from lab.control import config as actions

    old, new = actions.rollback(clients(), service, reason)
    click.echo(_change(service, old, new))


@config.command("test")
@click.argument("service")
@click.option("--refused", is_flag=True, help="Invert the exit status: 0 when the settings are invalid.")
def test(service: str, refused: bool) -> None:
    """Check whether SERVICE would start with its active settings.

    Exit status 0 when it would, 1 when it would not.

    \b
    Example: fleetops config test feed --refused
    """
    from lab.paths import home, ports
    from lab.stack import configs

    refusal = configs.refusal(configs.instances(home(), ports(), service)[0])
    click.echo(f"invalid: {refusal}" if refusal else "valid")
    if bool(refusal) != refused:
        click.get_current_context().exit(1)


def _note(version: Version, current: Version) -> str:
    if version.version == current.version:
        return " (active)"
    return " (taken back)" if version.taken_back else ""


def _settings(version: Version) -> str:
    return " ".join(f"{key}={value}" for key, value in version.settings.items()) or "defaults"


def _change(service: str, old: Version, new: Version) -> str:
    return f"{service} configuration {old.version} ({_settings(old)}) → {new.version} ({_settings(new)})"
