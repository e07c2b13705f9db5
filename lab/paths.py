"""Where everything is: the state directory, the checkout's folders, and every port.

`FLEETOPS_HOME` moves the state directory (default `.lab` in the checkout) and
`FLEETOPS_PORT_BASE` the first port (default 8000). All ports lie in base … base+99
and every listener binds to 127.0.0.1.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lab.errors import UsageError

LOOPBACK = "127.0.0.1"
MAX_REPLICAS = 8

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
RULES = ROOT / "rules"
SITE = ROOT / "site"
RUNBOOKS = DOCS / "03_runbooks.md"
RECORDS = DOCS / "records"
DRILLS = ROOT / "lab" / "drills" / "catalogue"


def port_base() -> int:
    """The first port of this lab, from FLEETOPS_PORT_BASE. Raises UsageError when that is not a port."""
    value = os.environ.get("FLEETOPS_PORT_BASE", "8000")
    if not value.isdigit() or not 1024 <= int(value) <= 65400:
        raise UsageError(f"FLEETOPS_PORT_BASE={value!r} is not a port from 1024 to 65400; set one, for example 8000")
    return int(value)


@dataclass(frozen=True)
class Ports:
    """Every port of one lab, relative to its base port."""

    base: int

    @property
    def console(self) -> int:
        """The site and the live console."""
        return self.base

    @property
    def gateway(self) -> int:
        """The gateway's public API."""
        return self.base + 10

    @property
    def gateway_admin(self) -> int:
        """The gateway's metrics and admin API."""
        return self.base + 11

    @property
    def pager(self) -> int:
        """The pager, to which Alertmanager delivers notifications."""
        return self.base + 12

    @property
    def traffic_admin(self) -> int:
        """The load generator's metrics and admin API."""
        return self.base + 14

    @property
    def exporter(self) -> int:
        """The exporter: metrics of the database, the logs and supervision."""
        return self.base + 16

    @property
    def prometheus(self) -> int:
        """Prometheus: metrics and rules."""
        return self.base + 90

    @property
    def alertmanager(self) -> int:
        """Alertmanager, which routes alerts to the pager."""
        return self.base + 93

    @property
    def postgres(self) -> int:
        """PostgreSQL itself, without the link in front of it."""
        return self.base + 94

    @property
    def valkey(self) -> int:
        """Valkey, the cache."""
        return self.base + 95

    @property
    def link_db(self) -> int:
        """The TCP link between the application tier and the database."""
        return self.base + 96

    @property
    def link_db_admin(self) -> int:
        """The link's metrics and admin API."""
        return self.base + 97

    @property
    def detour(self) -> int:
        """The delay proxy that a drill puts between the gateway and a replica."""
        return self.base + 98

    def replica(self, service: str, number: int) -> tuple[int, int]:
        """The (public, admin) ports of replica `number` (from 1) of user, feed or feed-canary. Raises UsageError."""
        first = {"user": 20, "feed": 40, "feed-canary": 60}
        if service not in first or not 1 <= number <= MAX_REPLICAS:
            raise UsageError(
                f"no port for replica {number} of {service!r}; known: {', '.join(first)}, replicas 1 to {MAX_REPLICAS}"
            )
        public = self.base + first[service] + 2 * (number - 1)
        return public, public + 1


@dataclass(frozen=True)
class Home:
    """The state directory. Everything that the lab writes at run time is inside it."""

    path: Path

    @property
    def authority(self) -> Path:
        """Certificate and key of the lab's certificate authority, which clients inside the lab trust."""
        return self.path / "tls" / "authority.pem"

    def certificate(self, name: str) -> Path:
        """The certificate and key that the server `name` presents."""
        return self.path / "tls" / f"{name}.pem"

    @property
    def token(self) -> Path:
        """The file with the control token, mode 0600."""
        return self.path / "token"

    @property
    def logs(self) -> Path:
        """One NAME.log per process; our own processes write one JSON object per line."""
        return self.path / "logs"

    @property
    def run(self) -> Path:
        """Sockets, pid files and rendered configuration."""
        return self.path / "run"

    @property
    def data(self) -> Path:
        """Data that survives a restart: PostgreSQL, time series, pages, control state."""
        return self.path / "data"

    @property
    def bin(self) -> Path:
        """Programs that were downloaded and unpacked, not installed."""
        return self.path / "bin"


def home() -> Home:
    """The state directory of this lab, from FLEETOPS_HOME."""
    return Home(Path(os.environ.get("FLEETOPS_HOME", ROOT / ".lab")).expanduser().resolve())


def ports() -> Ports:
    """The ports of this lab. Raises UsageError when FLEETOPS_PORT_BASE is not a port."""
    return Ports(port_base())
