"""Who is connected to the cache, as whom and doing what; and which commands an account may run there.

An account's rights are the cache's own ACL: what is denied is refused from the next command on, also on connections
that are open already. A restart of the cache brings back the rights of its settings file
(lab/stack/backends/valkey.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import valkey
from valkey.exceptions import ResponseError, ValkeyError

from lab.control.lab_clients import LabClients
from lab.errors import NotRunning, UsageError
from lab.stack.backends import valkey as cache


@dataclass(frozen=True)
class Connection:
    """One connection. `command` is the last one it sent, `age_seconds` how long it is open."""

    user: str
    name: str
    address: str
    age_seconds: int
    idle_seconds: int
    command: str

    def as_json(self) -> dict[str, Any]:
        """As `fleetops cache clients --json` lists it."""
        return asdict(self)


def clients(clients: LabClients, command: str | None = None) -> list[Connection]:
    """Every connection but this one, the busiest first; with `command` those whose last command it was. NotRunning."""
    with _connected(clients) as client:
        mine: Any = client.client_id()
        rows: Any = client.client_list()
    found = [
        Connection(row["user"], row["name"], row["addr"], int(row["age"]), int(row["idle"]), row["cmd"])
        for row in rows
        if int(row["id"]) != mine
    ]
    wanted = [one for one in found if command is None or one.command == command.lower()]
    return sorted(wanted, key=lambda one: (one.idle_seconds, one.user, one.address))


def allow(clients: LabClients, user: str, command: str, allowed: bool, reason: str = "") -> tuple[str, str]:
    """Let `user` run `command` or not; returns the rules of its commands before and after, as the cache writes them.

    UsageError for an account or a command that the cache does not know, and for the one that the services use.
    """
    with _connected(clients) as client:
        before = rules(client, user)
        known: Any = client.acl_users()
        if before is None:
            raise UsageError(f"no account {user!r} at the cache; the accounts are {', '.join(sorted(known))}")
        if user == cache.SERVICES_USER:
            raise UsageError(f"{user!r} is the account of the services and of fleetops itself; its rights stay")
        if _ask(client, "COMMAND INFO", command) == [None]:
            raise UsageError(f"the cache has no command {command!r}")
        action = "cache allow" if allowed else "cache deny"
        with clients.trail.action(action, f"{user} {command.lower()}", reason=reason) as change:
            change.old = before
            permit(client, user, command, allowed)
            change.new = rules(client, user)
    return before, str(change.new)


def rules(client: valkey.Valkey, user: str) -> str | None:
    """The rules of an account's commands, such as "+@all -flushall"; None for one that is not there."""
    found = _ask(client, "ACL GETUSER", user)
    return None if found is None else " ".join([*found["categories"], *found["commands"]])


def permit(client: valkey.Valkey, user: str, command: str, allowed: bool) -> None:
    """Change the right itself, unaudited: for what an audited verb or a fault does."""
    _ask(client, "ACL SETUSER", user, f"{'+' if allowed else '-'}{command.lower()}")


def may(client: valkey.Valkey, user: str, command: str) -> bool:
    """Whether the cache would let `user` run `command` without arguments."""
    return bool(_ask(client, "ACL DRYRUN", user, command) == b"OK")


def _ask(client: valkey.Valkey, *words: str) -> Any:
    return client.execute_command(*words)  # type: ignore[no-untyped-call]


@contextmanager
def _connected(clients: LabClients) -> Iterator[valkey.Valkey]:
    client = valkey.Valkey.from_url(cache.url(clients.ports.valkey), socket_timeout=5, socket_connect_timeout=2)
    try:
        yield client
    except ResponseError as problem:
        raise UsageError(f"the cache refused: {problem}") from None
    except ValkeyError as problem:
        raise NotRunning(f"the cache does not answer: {problem}; see `fleetops status`") from None
    finally:
        client.close()  # type: ignore[no-untyped-call]
