"""Prepare the state that the containers share: token, password, certificate and rendered configuration."""

from __future__ import annotations

import time
from collections.abc import Iterable

from lab.atomic_write import write_text
from lab.paths import Home, Ports
from lab.stack import state
from lab.stack.backends import certificates, monitoring, postgres, valkey
from lab.stack.container.addresses import Addresses
from lab.stack.programs import Program

# PostgreSQL's container accepts connections of the others, and its image initializes the cluster through the socket.
POSTGRES_SETTINGS = {"listen_addresses": "'*'", "unix_socket_directories": "'/var/run/postgresql'"}
# The cache's container publishes no port, so only the other containers reach it.
VALKEY_SETTINGS = {"bind": "*", "protected-mode": "no", "dir": "/data"}


def prepare(home: Home, ports: Ports, programs: Iterable[Program], addresses: Addresses) -> None:
    """Fill the state directory. A repeated run renders the configuration again, and keeps secrets and certificate."""
    programs = list(programs)
    state.make_directories(home)
    for service in {program.service for program in programs}:
        (home.data / service).mkdir(exist_ok=True)
    monitoring.render(home, ports, programs)
    for rendered in (*home.run.glob("*.yml"), *monitoring.targets_dir(home).glob("*.json")):
        text = addresses.between(rendered.read_text(encoding="utf-8"))
        write_text(rendered, text, mode=rendered.stat().st_mode & 0o777)
    write_text(home.run / "postgresql.conf", postgres.settings_text(POSTGRES_SETTINGS))
    write_text(home.run / "valkey.conf", valkey.settings_text(home, ports.valkey, VALKEY_SETTINGS))
    certificates.ensure(home, "link-db", time.time())
    write_text(home.run / "postgres-password", postgres.password(home), mode=0o600)
