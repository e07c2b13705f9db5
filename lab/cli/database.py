"""`fleetops db`: sessions and indexes of the DB."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from lab.cli.shared import REASON, clients
from lab.errors import UsageError


@click.group()
def db() -> None:
    """Sessions and indexes of the DB.

    \b
    Example: fleetops db activity
    """


@db.command("activity")
@click.option("--all", "everybody", is_flag=True, help="Also sessions that are idle outside a transaction.")
@click.option("--json", "as_json", is_flag=True, help="A list of objects: pid, application, state, …, query.")
def activity(everybody: bool, as_json: bool) -> None:
    """Show who does what in the DB, for how long, and who waits for whom.

    \b
    Example: fleetops db activity --all
    """
    from lab.control import database

    sessions = [one for one in database.activity(clients()) if everybody or one.state != "idle"]
    if as_json:
        click.echo(json.dumps([one.as_json() for one in sessions], indent=1))
        return
    if not sessions:
        click.echo("no session is at work or in a transaction")
    for one in sessions:
        waits = f" waits for {one.waits_for} behind {one.blocked_by}" if one.waits_for else ""
        text = " ".join(one.query.split())[:90]
        click.echo(
            f"{one.pid:>8} {one.application:<16} {one.state:<20} {one.transaction_seconds:>7.1f} s{waits}  {text}"
        )


@db.command("cancel")
@click.argument("pids", nargs=-1, type=int, metavar="[PID]…")
@click.option("--idle-in-transaction", "idle", is_flag=True, help="Those that sit in an open transaction.")
@click.option("--blocking-ddl", "ddl", is_flag=True, help="Those that lock others out of a table, as ALTER TABLE does.")
@click.option("--older-than", type=click.FloatRange(min=0), metavar="SECONDS", help="Idle for longer than this (5).")
@REASON
def cancel(pids: tuple[int, ...], idle: bool, ddl: bool, older_than: float | None, reason: str) -> None:
    """End what sessions do: cancel a statement, roll an idle transaction back.

    \b
    Example: fleetops db cancel --idle-in-transaction
    """
    from lab.control import database

    if not (pids or idle or ddl):
        raise UsageError("say which: a PID, --idle-in-transaction or --blocking-ddl; see `fleetops db activity`")
    done = database.cancel(clients(), pids, idle=idle, ddl=ddl, older_than_seconds=older_than, reason=reason)
    for session, outcome in done:
        click.echo(f"{outcome} pid {session.pid} ({session.application}, {session.state})")


@db.group("index")
def index() -> None:
    """The indexes the queries count on.

    \b
    Example: fleetops db index list
    """


@index.command("list")
@click.option("--json", "as_json", is_flag=True, help="A list of objects: name, found, valid, size_bytes.")
def index_list(as_json: bool) -> None:
    """Show every index, whether it is there and whether it is valid.

    \b
    Example: fleetops db index list
    """
    from lab.control import database

    found = database.indexes(clients())
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=1))
        return
    for one in found:
        state = "valid" if one.valid else "INVALID" if one.found else "MISSING"
        click.echo(f"{one.name:<26} {state:<8} {one.size_bytes / (1 << 20):>6.1f} MiB")


@index.command("create")
@click.argument("name", required=False)
@click.option("--missing", is_flag=True, help="Every index that is missing or invalid.")
@REASON
def index_create(name: str | None, missing: bool, reason: str) -> None:
    """Make index NAME anew, concurrently: reads and writes go on, and it is checked to be valid afterwards.

    \b
    Example: fleetops db index create --missing
    """
    from lab.control import database

    if (name is None) != missing:
        raise UsageError("say which: the NAME of an index, or --missing")
    for one in database.create_index(clients(), name, reason):
        click.echo(f"{one.name} is valid, {one.size_bytes / (1 << 20):.1f} MiB")
