"""The program table: every process of the lab, with its arguments, environment, ports and readiness URL.

The lab's own processes are configured by environment variables only, the same ones that compose.yaml sets.
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

# Third-party programs; all others in the table are the lab's own.
TOOLS = ("prometheus", "alertmanager", "postgres", "valkey")
# Replicas after `fleetops up`; the others are declared, and started by `fleetops scale`.
DEFAULT_REPLICAS = {names.UPSTREAM_USER: 2, names.UPSTREAM_FEED: 2, names.UPSTREAM_CANARY: 1}
REPLICA_MODULES = {
    names.UPSTREAM_USER: ("lab.services.user", names.VERSION_STABLE),
    names.UPSTREAM_FEED: ("lab.services.feed", names.VERSION_STABLE),
    names.UPSTREAM_CANARY: ("lab.services.feed", names.VERSION_CANARY),
}
# The start order: each stage waits until the one before is ready.
STAGES = PLATFORM, SERVICES, CLIENTS = ("platform", "services", "clients")
GO_LIMITS = {"GOGC": "50", "GOMAXPROCS": "2"}


@dataclass(frozen=True)
class Program:
    """One process. `ready` is its readiness URL, or "tcp" (the port accepts connections); `job` its Prometheus job."""

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
    on_demand: bool = False  # runs only while it has work: not expected, and not scraped
    user: str | None = None
    cwd: str = str(ROOT)
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    token_file: Path | None = None  # the password file of a program that requires the lab's login
    death_signal: int = signal.SIGKILL  # the only signal that ends a frozen process


def url(port: int) -> str:
    """The loopback URL of a port."""
    return f"http://{LOOPBACK}:{port}"


def service_of(instance: str) -> str:
    """The service of a program: feed-canary for feed-canary-1, gateway for gateway."""
    head, _, tail = instance.rpartition("-")
    return head if tail.isdigit() else instance


def config_file(home: Home, service: str) -> Path:
    """The configuration file that a service reads at its start, if it exists; written by lab/stack/configs.py."""
    return home.data / "config" / service / "current.json"


def environment(home: Home, ports: Ports) -> dict[str, str]:
    """The environment variables that all of the lab's own processes share."""
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
        names.ENV_ALERTMANAGER_URL: url(ports.alertmanager),
        names.ENV_PROMETHEUS_URL: url(ports.prometheus),
    }


def upstreams(ports: Ports, service: str, count: int) -> list[str]:
    """The public URLs of the first `count` replicas of a service."""
    return [url(ports.replica(service, number)[0]) for number in range(1, count + 1)]


def table(home: Home, ports: Ports, tools: Mapping[str, Path]) -> dict[str, Program]:
    """Every program by name, in start order.

    `tools` has the paths of prometheus and alertmanager, and of postgres and valkey where they are not from wheels.
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
                # By default, the head block keeps up to three hours of samples in memory.
                "--storage.tsdb.min-block-duration=10m",
                "--enable-feature=exemplar-storage",
                f"--web.listen-address={LOOPBACK}:{ports.prometheus}",
                f"--web.config.file={home.run / 'web.yml'}",
                f"--web.external-url={url(ports.prometheus)}",
                # Without --web.enable-lifecycle, which would let any web page stop it; reloads use SIGHUP.
                f"--web.cors.origin=http://(127\\.0\\.0\\.1|localhost):{ports.console}",
                "--query.timeout=20s",
                # A restarted Alertmanager must receive firing alerts (above all the Watchdog) within seconds.
                "--rules.alert.resend-delay=5s",
                "--log.format=json",
            ),
            (ports.prometheus,), f"{url(ports.prometheus)}/-/ready",
            # The longest windows read more samples with each hour of history. What they leave behind is garbage, which
            # this limit bounds; about 25 MiB are in use.
            env={**GO_LIMITS, "GOMEMLIMIT": "56MiB"}, job="prometheus", metrics_port=ports.prometheus,
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
            env={**GO_LIMITS, "GOMEMLIMIT": "64MiB"}, job="alertmanager", metrics_port=ports.alertmanager,
            token_file=home.token, cwd=str(tools["alertmanager"].parent),
        ),
        _python_program(home, ports, "pager", "pager", PLATFORM, "lab.oncall.pager", ports.pager, ports.pager),
        _python_program(home, ports, "console", "console", PLATFORM, "lab.console", ports.console, ports.console),
        _python_program(
            home, ports, "link-db", "link", PLATFORM, "lab.services.link", ports.link_db, ports.link_db_admin,
            extra={
                names.ENV_LINK_UPSTREAM: f"{LOOPBACK}:{ports.postgres}",
                names.ENV_TLS_CERTIFICATE: str(home.certificate("link-db")),
            },
        ),
        # In the platform stage, so that it stops no earlier than Prometheus: without its count of requested starts,
        # planned restarts look like crashes. It connects to PostgreSQL directly, so that a fault of the link does not
        # affect it.
        _python_program(
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
                _python_program(
                    home, ports, f"{service}-{number}", job, SERVICES, module, public, admin,
                    version="", default=number <= DEFAULT_REPLICAS[service], extra={names.ENV_DEFAULT_VERSION: version},
                )
            )  # fmt: skip
    gateway = _python_program(
        home, ports, "gateway", "gateway", SERVICES, "lab.services.gateway", ports.gateway, ports.gateway_admin
    )
    return [*replicas, gateway]


def _clients(home: Home, ports: Ports) -> list[Program]:
    return [
        _python_program(
            home, ports, "traffic", "traffic", CLIENTS, "lab.traffic", ports.traffic_admin, ports.traffic_admin
        ),
        Program(
            "rollout", "rollout", CLIENTS, (sys.executable, "-m", "lab.rollout"), (), "",
            env=environment(home, ports), default=False, on_demand=True,
        ),
    ]  # fmt: skip


def _python_program(
    home: Home, ports: Ports, name: str, job: str, stage: str, module: str, public: int, admin: int, *,
    version: str = names.VERSION_STABLE, default: bool = True, extra: Mapping[str, str] | None = None,
) -> Program:  # fmt: skip
    """A process of the lab itself, `python -m module`, configured by its environment."""
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
        # By default glibc gives threads their own arenas, and RSS doubles with sixteen threads.
        "MALLOC_ARENA_MAX": "2",
        # Return large buffers when they are freed: glibc otherwise raises this threshold at the first one and keeps
        # later ones (after 400 closed TLS connections, link-db used 125 MiB, and 50 MiB with this setting).
        "MALLOC_MMAP_THRESHOLD_": "131072",
        **own,
        **(extra or {}),
    }
    return Program(
        name, service, stage, (sys.executable, "-m", module), tuple(dict.fromkeys((public, admin))),
        f"{url(admin)}/readyz", env=env, job=job, metrics_port=admin, default=default,
    )  # fmt: skip


def rules_globs() -> list[str]:
    """The rule files of Prometheus: the generated rules of the lab profile, and the hand-written platform rules."""
    return [str(RULES / "lab" / "*.rules.yml"), str(RULES / "platform" / "*.rules.yml")]
