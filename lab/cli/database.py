"""`fleetops db`: sessions and indexes of the database."""

from __future__ import annotations

from dataclasses import asdict

import click

from lab.cli.shared import REASON, clients
from lab.cli.text import mib, print_json, seconds, table
from lab.errors import UsageError

QUERY_CHARACTERS = 90


@click.group()
def db() -> None:
    """Show and end database sessions, check and rebuild indexes.

    \b
    Example: fleetops db activity
    """


@db.command("activity")
@click.option("--all", "include_idle", is_flag=True, help="Include sessions that are idle outside a transaction.")
@click.option("--json", "as_json", is_flag=True, help="A list of objects: pid, application, state, …, query.")
def activity(include_idle: bool, as_json: bool) -> None:
    """Show sessions, the age of their transactions, and lock waits.

    \b
    Example: fleetops db activity --all
    """
    from lab.control import database

    sessions = [session for session in database.activity(clients()) if include_idle or session.state != "idle"]
    if as_json:
        print_json(sessions)
        return
    table(
        ("PID", "APPLICATION", "STATE", "TRANSACTION", "WAITS FOR", "BLOCKED BY", "QUERY"),
        [
            (
                str(session.pid), session.application, session.state, seconds(session.transaction_seconds),
                session.waits_for or "-", ",".join(map(str, session.blocked_by)) or "-",
                " ".join(session.query.split())[:QUERY_CHARACTERS],
            )
            for session in sessions
        ],
        "no active session and no open transaction",
        right=("PID", "TRANSACTION"),
    )  # fmt: skip


@db.command("cancel")
@click.argument("pids", nargs=-1, type=int, metavar="[PID]…")
@click.option("--idle-in-transaction", "idle", is_flag=True, help="Sessions that are idle in a transaction.")
@click.option("--blocking-ddl", "ddl", is_flag=True, help="Sessions that block others with a table lock (ALTER TABLE).")
@click.option("--older-than", type=click.FloatRange(min=0), metavar="SECONDS", help="Minimum idle time (default 5).")
@REASON
def cancel(pids: tuple[int, ...], idle: bool, ddl: bool, older_than: float | None, reason: str) -> None:
    """Cancel statements, and end idle transactions.

    A running statement is cancelled. An idle transaction is rolled back by terminating its session.

    \b
    Example: fleetops db cancel --idle-in-transaction
    """
    from lab.control import database

    if not (pids or idle or ddl):
        raise UsageError("give a PID, --idle-in-transaction or --blocking-ddl; see `fleetops db activity`")
    ended = database.cancel(clients(), pids, idle=idle, ddl=ddl, older_than_seconds=older_than, reason=reason)
    for session, outcome in ended:
        click.echo(f"{outcome} pid {session.pid} ({session.application}, {session.state})")


@db.group("index")
def index() -> None:
    """Check and rebuild the indexes that the queries need.

    \b
    Example: fleetops db index list
    """


@index.command("list")
@click.option("--json", "as_json", is_flag=True, help="A list of objects: name, found, valid, size_bytes.")
def index_list(as_json: bool) -> None:
    """Show whether each index exists and is valid.

    \b
    Example: fleetops db index list
    """
    from lab.control import database

    rows = database.indexes(clients())
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    table(
        ("INDEX", "STATE", "SIZE"),
        [
            (row.name, "valid" if row.valid else "INVALID" if row.found else "MISSING", mib(row.size_bytes))
            for row in rows
        ],
        "no indexes",
        right=("SIZE",),
    )


@index.command("create")
@click.argument("name", required=False)
@click.option("--missing", is_flag=True, help="Every index that is missing or invalid.")
@REASON
def index_create(name: str | None, missing: bool, reason: str) -> None:
    """Build index NAME concurrently, and check that it is valid.

    Reads and writes continue.

    \b
    Example: fleetops db index create --missing
    """
    from lab.control import database

    if (name is None) != missing:
        raise UsageError("give the NAME of an index, or --missing")
    for built in database.create_index(clients(), name, reason):
        click.echo(f"{built.name} is valid, {mib(built.size_bytes)}")
