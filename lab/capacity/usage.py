"""What a step uses: processor time of each process and of the machine, and how busy each bounded resource is."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil
import valkey
from valkey.exceptions import ValkeyError

from lab import names
from lab.control.lab_clients import LabClients
from lab.errors import NotRunning
from lab.stack.backends import valkey as cache
from lab.stack.health.machine import CpuTimes
from lab.stack.processes.supervision import SUPERVISOR, Supervisor


@dataclass(frozen=True)
class Cpu:
    """Processor seconds so far, by process and of the machine, at `at` (epoch seconds)."""

    at: float
    processes: Mapping[str, float]
    machine: CpuTimes

    @classmethod
    def now(cls, pids: Mapping[str, int]) -> Cpu:
        """Read the current times of the processes with these pids, and of the machine."""
        roots = [pids[SUPERVISOR], os.getpid()]
        return cls(time.time(), {name: _seconds(name, pid) for name, pid in pids.items()}, CpuTimes.now(roots))

    def since(self, before: Cpu) -> tuple[dict[str, float], dict[str, float]]:
        """Processor seconds by process, and of the machine by "lab", "others" and "idle", since an earlier reading."""
        processes = {
            name: max(0.0, seconds - before.processes[name])
            for name, seconds in self.processes.items()
            if name in before.processes
        }
        return processes, self.machine.since(before.machine)


def pids(clients: LabClients) -> dict[str, int]:
    """The pid of every running program, by name, and of supervisord."""
    supervisor = Supervisor(clients.home)
    running, own = supervisor.pids(), supervisor.pid()
    return running if own is None else {**running, SUPERVISOR: own}


def _seconds(name: str, pid: int) -> float:
    """Of the process and of its children (PostgreSQL's); those of supervisord are the other programs."""
    try:
        root = psutil.Process(pid)
        tree = [root] if name == SUPERVISOR else [root, *root.children(recursive=True)]
        return sum(float(sum(process.cpu_times()[: 2 if name == SUPERVISOR else 4])) for process in tree)
    except psutil.Error:
        return 0.0


def busy(clients: LabClients, at: float, seconds: float) -> dict[str, float]:
    """The mean ratio in use (0 to 1) of each bounded resource in the `seconds` before `at`, of its busiest process."""
    window = f"[{max(2, int(seconds))}s]"
    used = {}
    for job in ("gateway", names.UPSTREAM_USER, names.UPSTREAM_FEED):
        used[f"{job} threads"] = _number(
            clients,
            f'max(avg_over_time({names.HTTP_SERVER_THREADS}{{job="{job}",state="busy"}}{window})'
            f' / ignoring (state) avg_over_time({names.HTTP_SERVER_THREADS}{{job="{job}",state="all"}}{window}))',
            at,
        )
    for job in (names.UPSTREAM_USER, names.UPSTREAM_FEED):
        used[f"{job} database connections"] = _number(
            clients,
            f'max(avg_over_time({names.DB_POOL_CONNECTIONS}{{job="{job}",state="used"}}{window})'
            f' / ignoring (state) {names.DB_POOL_MAX}{{job="{job}"}})',
            at,
        )
    limit = clients.gateway.state().shed.max_inflight
    used["requests in flight"] = _number(clients, f"max(avg_over_time({names.GATEWAY_INFLIGHT}{window}))", at) / limit
    return {name: round(ratio, 4) for name, ratio in used.items()}


def hit_ratio(clients: LabClients, at: float, seconds: float) -> float | None:
    """The hit ratio (0 to 1) of the feed cache in the `seconds` before `at`; None without lookups."""
    window = f"[{max(2, int(seconds))}s]"
    lookups = f'{names.CACHE_REQUESTS}{{cache="feed"'
    value = clients.prometheus.number(
        f'sum(rate({lookups},result="hit"}}{window})) / sum(rate({lookups}}}{window}))', at
    )
    return None if value is None else min(1.0, max(0.0, value))


def database_per_second(clients: LabClients, at: float, seconds: float) -> float:
    """Operations per second of the services at the database in the `seconds` before `at`."""
    window = f"[{max(2, int(seconds))}s]"
    return _number(clients, f"sum(rate({names.DB_OPERATION_DURATION}_count{window}))", at)


def database_seconds(clients: LabClients, at: float, seconds: float) -> float:
    """The mean duration of a database operation in the `seconds` before `at`."""
    window = f"[{max(2, int(seconds))}s]"
    name = names.DB_OPERATION_DURATION
    return _number(clients, f"sum(rate({name}_sum{window})) / sum(rate({name}_count{window}))", at)


def cached(clients: LabClients) -> tuple[int, int]:
    """The number of entries in the cache, and the bytes that they take. Raises NotRunning when it does not answer."""
    try:
        with valkey.Valkey.from_url(cache.url(clients.ports.valkey), socket_timeout=5) as client:
            return int(client.dbsize()), int(client.info("memory")["used_memory_dataset"])
    except ValkeyError as error:
        raise NotRunning(f"the cache does not answer: {error}; see `fleetops status`") from None


def _number(clients: LabClients, query: str, at: float) -> float:
    return clients.prometheus.number(query, at) or 0.0
