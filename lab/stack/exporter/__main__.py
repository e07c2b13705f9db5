"""`python -m lab.stack.exporter`: serves /metrics until SIGTERM."""

from __future__ import annotations

from lab import names
from lab.paths import home, ports
from lab.stack import replicas
from lab.stack.exporter.capacity import CapacityCollector
from lab.stack.exporter.database import DatabaseCollector
from lab.stack.exporter.feedprobe import ExpectedFeeds, FeedProbe
from lab.stack.exporter.files import DiskCollector, LogCollector, StartsCollector
from lab.stack.exporter.machine import CpuSampler, MemoryCollector
from lab.stack.exporter.processes import ProcessSampler
from lab.stack.exporter.traces import OtlpExporter, TraceCollector
from lab.stack.exporter.worker import Worker
from lab.stack.exporter.writeprobe import WriteProbe
from lab.telemetry.metrics import CollectorRegistry
from lab.telemetry.process import Telemetry, program, run
from lab.telemetry.settings import Environment, Settings, checked_url

THREADS = 3


def main() -> None:
    """Read the environment, start the workers and serve until SIGTERM. Raises LabError."""
    env = Environment()
    settings = Settings.read("exporter", environment=env, admin=False, token=True, threads=THREADS)
    database_url = env.text(names.ENV_DATABASE_URL, example="postgresql://fleetops@127.0.0.1:8094/fleetops")
    gateway_url = checked_url(env.text(names.ENV_GATEWAY_URL, example="http://127.0.0.1:8010"), names.ENV_GATEWAY_URL)
    telemetry = Telemetry(settings)
    registry = telemetry.registry
    database = DatabaseCollector(database_url)
    registry.register(database)
    registry.register(LogCollector(home().logs))
    registry.register(DiskCollector(home()))
    programs = replicas.known(home(), ports()).values()
    registry.register(StartsCollector(home(), programs))
    registry.register(MemoryCollector())
    registry.register(CapacityCollector())
    processes = ProcessSampler(home(), programs)
    registry.register(processes)
    probe = FeedProbe(gateway_url, ExpectedFeeds(database_url, registry), registry)
    writes = WriteProbe(gateway_url, database_url, registry)
    workers: list[Worker] = [database, probe, writes, CpuSampler(home(), registry), processes]
    if settings.trace_slow_seconds is not None:
        workers += _tracing(env, registry)
    for worker in workers:
        worker.start()
    run(telemetry, telemetry.admin_app(), closing=[worker.stop for worker in reversed(workers)])


def _tracing(env: Environment, registry: CollectorRegistry) -> list[Worker]:
    if not (endpoint := env.text(names.ENV_OTLP_ENDPOINT, "")):
        return [TraceCollector(home(), ports(), registry, lambda _: None)]
    exporter = OtlpExporter(checked_url(endpoint, names.ENV_OTLP_ENDPOINT), registry)
    return [TraceCollector(home(), ports(), registry, exporter.export), exporter]


if __name__ == "__main__":
    program(main)
