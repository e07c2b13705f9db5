"""A real PostgreSQL and a real Valkey for tests that do not need a whole lab; started once per session."""

from __future__ import annotations

import pwd
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import eventually, free_port, running

from lab.paths import LOOPBACK, Home
from lab.services import schema
from lab.stack.backends import postgres, valkey

READY_SECONDS = 60.0


@pytest.fixture(scope="session")
def server_home() -> Iterator[Home]:
    """A state directory for servers. Its path is short, and accessible to the user that PostgreSQL runs as."""
    with tempfile.TemporaryDirectory(prefix="fleetops-", ignore_cleanup_errors=True) as folder:
        home = Home(Path(folder))
        for path in (home.data, home.run, home.logs):
            path.mkdir()
        yield home


@pytest.fixture(scope="session")
def postgres_url(server_home: Home) -> Iterator[str]:
    """The URL of a PostgreSQL with the application's role and an empty database."""
    port = free_port()
    postgres.prepare(server_home, lambda _line: None)
    user = postgres.run_as()
    switch = {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    log = server_home.logs / "postgres.log"
    with running(postgres.argv(server_home, port), log, cwd="/", **switch) as process:

        def up() -> bool:
            if process.poll() is not None:
                pytest.fail(f"PostgreSQL exited: {log.read_text()[-500:]}")
            postgres.ensure_database(server_home, port)
            return True

        eventually(up, "PostgreSQL accepts connections", READY_SECONDS)
        yield postgres.url(server_home, port)


@pytest.fixture(scope="session")
def seeded_url(postgres_url: str) -> str:
    """The URL of the same PostgreSQL with the schema and all its rows."""
    schema.create(postgres_url)
    return postgres_url


@pytest.fixture(scope="session")
def valkey_url(server_home: Home) -> Iterator[str]:
    """The URL of a Valkey."""
    port = free_port()
    valkey.prepare(server_home, port)
    with running(valkey.argv(server_home), server_home.logs / "valkey.log"):

        def up() -> bool:
            socket.create_connection((LOOPBACK, port), timeout=1).close()
            return True

        eventually(up, "Valkey accepts connections")
        yield valkey.url(port)
