"""The program table: every process the lab can run, with its arguments, environment, ports and readiness address.

Our own processes are configured by environment alone, the same names that compose.yaml sets.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab import names
from lab.paths import LOOPBACK, MAX_REPLICAS, ROOT, RULES, Home, Ports
from lab.stack.backends import postgres, valkey
from lab.telemetry.config import SETTINGS

# What we run and have not written; the rest of the table is our own.
TOOLS = ("prometheus", "alertmanager", "postgres", "valkey")
# How many replicas run after `fleetops up`; the others are declared, and started by `fleetops scale`.
DEFAULT_REPLICAS = {names.UPSTREAM_USER: 2, names.UPSTREAM_FEED: 2, names.UPSTREAM_CANARY: 1}
REPLICA_MODULES = {
    names.UPSTREAM_USER: ("lab.services.user", ""),  # its configuration says which; by default the stable one
    names.UPSTREAM_FEED: ("lab.services.feed", names.VERSION_STABLE),
    names.UPSTREAM_CANARY: ("lab.services.feed", names.VERSION_CANARY),
}
# What each part waits for: the platform first, clients when everything that answers them is ready.
STAGES = PLATFORM, SERVICES, CLIENTS = ("platform", "services", "clients")
GO_LEAN = {"GOGC": "50", "GOMAXPROCS": "2"}


@dataclass(frozen=True)
class Program:
    """One process: `ready` is an HTTP address or "tcp" (the first port accepts); `job` its Prometheus job."""

    name: str
    service: str
    stage: str
    argv: tuple[str, ...]
    ports: tuple[int, ...]
    ready: str
    env: Mapping[str, str] = field(default_factory=dict)
    job: str = ""
    metrics_port: int = 0
    default: bool = True
    user: str | None = None
    cwd: str = str(ROOT)
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    token_file: Path | None = None  # of a program that asks for the lab's login: the password
    death_signal: int = signal.SIGKILL  # a frozen process cannot act on any other


def url(port: int) -> str:
    """The address of a port on this machine."""
    return f"http://{LOOPBACK}:{port}"


def service_of(instance: str) -> str:
    """The service a program name belongs to: feed-canary-1 is of feed-canary, gateway of gateway."""
    head, _, tail = instance.rpartition("-")
    return head if tail.isdigit() else instance


def config_file(home: Home, service: str) -> Path:
    """What a service reads at its start, when it is there; lab/stack/configs.py writes it."""
    return home.data / "config" / service / "current.json"


def environment(home: Home, ports: Ports) -> dict[str, str]:
    """What every process of ours is told, whichever it is."""
    return {
        "FLEETOPS_HOME": str(home.path),
        "FLEETOPS_PORT_BASE": str(ports.base),
        names.ENV_TOKEN_FILE: str(home.token),
        names.ENV_DATABASE_URL: postgres.tls_url(home, ports.link_db, home.authority),
        names.ENV_CACHE_URL: valkey.url(ports.valkey),
        names.ENV_UPSTREAMS_USER: ",".join(
            upstreams(ports, names.UPSTREAM_USER, DEFAULT_REPLICAS[names.UPSTREAM_USER])
        ),
        names.ENV_UPSTREAMS_FEED: ",".join(
            upstreams(ports, names.UPSTREAM_FEED, DEFAULT_REPLICAS[names.UPSTREAM_FEED])
        ),
        names.ENV_UPSTREAMS_CANARY: ",".join(
            upstreams(ports, names.UPSTREAM_CANARY, DEFAULT_REPLICAS[names.UPSTREAM_CANARY])
        ),
        names.ENV_GATEWAY_URL: url(ports.gateway),
        names.ENV_CONSOLE_URL: url(ports.console),
        names.ENV_PAGER_URL: url(ports.pager),
        names.ENV_PROMETHEUS_URL: url(ports.prometheus),
    }


def upstreams(ports: Ports, service: str, count: int) -> list[str]:
    """The public addresses of the first `count` replicas."""
    return [url(ports.replica(service, number)[0]) for number in range(1, count + 1)]


def table(home: Home, ports: Ports, tools: Mapping[str, Path]) -> dict[str, Program]:
    """Every program by name, in the order of starting.

    `tools` holds the paths of prometheus and alertmanager, and those of postgres and valkey where no wheel has them.
    """
    programs = [*_platform(home, ports, tools), *_services(home, ports), *_clients(home, ports)]
    return {program.name: program for program in programs}


def _platform(home: Home, ports: Ports, tools: Mapping[str, Path]) -> list[Program]:
    return [
        Program(
            "postgres", "postgres", PLATFORM, postgres.argv(home, ports.postgres, tools.get("postgres")),
            (ports.postgres,), "tcp",
            user=postgres.run_as(), cwd="/", stop_signal="INT", stop_seconds=20, death_signal=signal.SIGQUIT,
        ),
        Program("valkey", "valkey", PLATFORM, valkey.argv(home, tools.get("valkey")), (ports.valkey,), "tcp"),
        Program(
            "prometheus", "prometheus", PLATFORM,
            (
                str(tools["prometheus"]),
                f"--config.file={home.run / 'prometheus.yml'}",
                f"--storage.tsdb.path={home.data / 'prometheus'}",
                "--storage.tsdb.retention.time=1d",
                # Blocks of ten minutes: by default the head holds up to three hours of samples in memory.
                "--storage.tsdb.min-block-duration=10m",
                "--enable-feature=exemplar-storage",
                f"--web.listen-address={LOOPBACK}:{ports.prometheus}",
                f"--web.config.file={home.run / 'web.yml'}",
                f"--web.external-url={url(ports.prometheus)}",
                # No --web.enable-lifecycle: any web page could then stop it. Reloads come as SIGHUP.
                f"--web.cors.origin=http://(127\\.0\\.0\\.1|localhost):{ports.console}",
                "--query.timeout=20s",
                # An Alertmanager that was started again must hear of what fires (the Watchdog first) within seconds.
                "--rules.alert.resend-delay=5s",
                "--log.format=json",
            ),
            (ports.prometheus,), f"{url(ports.prometheus)}/-/ready",
            env={**GO_LEAN, "GOMEMLIMIT": "160MiB"}, job="prometheus", metrics_port=ports.prometheus,
            token_file=home.token,
        ),
        Program(
            "alertmanager", "alertmanager", PLATFORM,
            (
                str(tools["alertmanager"]),
                f"--config.file={home.run / 'alertmanager.yml'}",
                f"--storage.path={home.data / 'alertmanager'}",
                f"--web.listen-address={LOOPBACK}:{ports.alertmanager}",
                f"--web.config.file={home.run / 'web.yml'}",
                f"--web.external-url={url(ports.alertmanager)}",
                "--cluster.listen-address=",
                "--log.format=json",
            ),
            (ports.alertmanager,), f"{url(ports.alertmanager)}/-/ready",
            env={**GO_LEAN, "GOMEMLIMIT": "64MiB"}, job="alertmanager", metrics_port=ports.alertmanager,
            token_file=home.token, cwd=str(tools["alertmanager"].parent),
        ),
        _ours(home, ports, "pager", "pager", PLATFORM, "lab.oncall.pager", ports.pager, ports.pager),
        _ours(home, ports, "console", "console", PLATFORM, "lab.console", ports.console, ports.console),
        _ours(
            home, ports, "link-db", "link", PLATFORM, "lab.services.link", ports.link_db, ports.link_db_admin,
            extra={
                names.ENV_LINK_UPSTREAM: f"{LOOPBACK}:{ports.postgres}",
                names.ENV_TLS_CERTIFICATE: str(home.certificate("link-db")),
            },
        ),
        # Stopped with Prometheus and not before: without its count of starts, restarts that were asked for look like
        # crashes. It asks the DB directly, so that a fault of the link does not blind it.
        _ours(
            home, ports, "exporter", "exporter", PLATFORM, "lab.stack.exporter", ports.exporter, ports.exporter,
            extra={names.ENV_DATABASE_URL: postgres.url(home, ports.postgres)},
        ),
    ]  # fmt: skip


def _services(home: Home, ports: Ports) -> list[Program]:
    replicas = []
    for service, (module, version) in REPLICA_MODULES.items():
        for number in range(1, MAX_REPLICAS + 1):
            public, admin = ports.replica(service, number)
            job = "feed" if service == names.UPSTREAM_CANARY else service
            replicas.append(
                _ours(
                    home, ports, f"{service}-{number}", job, SERVICES, module, public, admin,
                    version=version, default=number <= DEFAULT_REPLICAS[service],
                )
            )  # fmt: skip
    gateway = _ours(
        home, ports, "gateway", "gateway", SERVICES, "lab.services.gateway", ports.gateway, ports.gateway_admin
    )
    return [*replicas, gateway]


def _clients(home: Home, ports: Ports) -> list[Program]:
    return [_ours(home, ports, "traffic", "traffic", CLIENTS, "lab.traffic", ports.traffic_admin, ports.traffic_admin)]


def _ours(
    home: Home, ports: Ports, name: str, job: str, stage: str, module: str, public: int, admin: int, *,
    version: str = names.VERSION_STABLE, default: bool = True, extra: Mapping[str, str] | None = None,
) -> Program:  # fmt: skip
    """A Python process of the lab: `python -m module`, told everything by environment."""
    service = service_of(name)
    own = {names.ENV_CONFIG_FILE: str(config_file(home, service))} if job in SETTINGS else {}
    env = {
        **environment(home, ports),
        names.ENV_SERVICE: job,
        names.ENV_INSTANCE: name,
        names.ENV_VERSION: version,
        names.ENV_LISTEN: f"{LOOPBACK}:{public}",
        names.ENV_ADMIN_LISTEN: f"{LOOPBACK}:{admin}",
        names.ENV_STATE_DIR: str(home.data / service),
        "PYTHONUNBUFFERED": "1",
        # One arena: sixteen threads otherwise spread their garbage over as many, and RSS doubles.
        "MALLOC_ARENA_MAX": "2",
        # Large buffers are given back when they are freed: glibc otherwise raises this bound at the first one and keeps
        # what follows (link-db held 125 MiB after 400 TLS connections had come and gone, 50 with it).
        "MALLOC_MMAP_THRESHOLD_": "131072",
        **own,
        **(extra or {}),
    }
    return Program(
        name, service, stage, (sys.executable, "-m", module), tuple(dict.fromkeys((public, admin))),
        f"{url(admin)}/readyz", env=env, job=job, metrics_port=admin, default=default,
    )  # fmt: skip


def rules_globs() -> list[str]:
    """The rule files Prometheus loads: the lab profile's generated rules, and the hand-written platform rules."""
    return [str(RULES / "lab" / "*.rules.yml"), str(RULES / "platform" / "*.rules.yml")]
