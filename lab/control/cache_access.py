"""Client connections of the cache, and the commands that its accounts may run.

Permissions are Valkey ACL rules: a denied command is refused from the next call on, also on open connections. A restart
of the cache restores the permissions of its configuration file (lab/stack/backends/valkey.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import valkey
from valkey.exceptions import ResponseError, ValkeyError

from lab.control.lab_clients import LabClients
from lab.errors import NotRunning, UsageError
from lab.stack.backends import valkey as cache


@dataclass(frozen=True)
class Connection:
    """One client connection: its account, its last command, and how long it has been open and idle."""

    user: str
    name: str
    address: str
    age_seconds: int
    idle_seconds: int
    command: str


def clients(clients: LabClients, command: str | None = None) -> list[Connection]:
    """Every other connection, most recently active first; with `command`, those whose last command it was.

    Raises NotRunning.
    """
    with _connected(clients) as client:
        mine: Any = client.client_id()
        rows: Any = client.client_list()
    connections = [
        Connection(row["user"], row["name"], row["addr"], int(row["age"]), int(row["idle"]), row["cmd"])
        for row in rows
        if int(row["id"]) != mine
    ]
    matching = [row for row in connections if command is None or row.command == command.lower()]
    return sorted(matching, key=lambda row: (row.idle_seconds, row.user, row.address))


def allow(clients: LabClients, user: str, command: str, allowed: bool, reason: str = "") -> tuple[str, str]:
    """Allow or deny `user` the command `command`; returns its ACL command rules before and after.

    Raises UsageError for an unknown account or command, and for the account of the services; NotRunning.
    """
    with _connected(clients) as client:
        before = rules(client, user)
        known: Any = client.acl_users()
        if before is None:
            raise UsageError(f"no account {user!r} at the cache; the accounts are {', '.join(sorted(known))}")
        if user == cache.SERVICES_USER:
            raise UsageError(f"{user!r} is the account of the services and of fleetops; its permissions are fixed")
        if _ask(client, "COMMAND INFO", command) == [None]:
            raise UsageError(f"the cache has no command {command!r}")
        action = "cache allow" if allowed else "cache deny"
        with clients.trail.action(action, f"{user} {command.lower()}", reason=reason) as change:
            change.old = before
            permit(client, user, command, allowed)
            change.new = rules(client, user)
    return before, str(change.new)


def rules(client: valkey.Valkey, user: str) -> str | None:
    """The ACL command rules of an account, such as "+@all -flushall"; None for an unknown account."""
    account = _ask(client, "ACL GETUSER", user)
    return None if account is None else " ".join([*account["categories"], *account["commands"]])


def permit(client: valkey.Valkey, user: str, command: str, allowed: bool) -> None:
    """Change a permission without an audit row; for audited actions and faults."""
    _ask(client, "ACL SETUSER", user, f"{'+' if allowed else '-'}{command.lower()}")


def may(client: valkey.Valkey, user: str, command: str) -> bool:
    """Whether `user` may run `command` (without arguments)."""
    return bool(_ask(client, "ACL DRYRUN", user, command) == b"OK")


def _ask(client: valkey.Valkey, *words: str) -> Any:
    return client.execute_command(*words)  # type: ignore[no-untyped-call]


@contextmanager
def _connected(clients: LabClients) -> Iterator[valkey.Valkey]:
    client = valkey.Valkey.from_url(cache.url(clients.ports.valkey), socket_timeout=5, socket_connect_timeout=2)
    try:
        yield client
    except ResponseError as error:
        raise UsageError(f"the cache refused: {error}") from None
    except ValkeyError as error:
        raise NotRunning(f"the cache does not answer: {error}; see `fleetops status`") from None
    finally:
        client.close()  # type: ignore[no-untyped-call]
