"""The cost of telemetry: processor time per request of the gateway and of the feed, with and without it.

    python -m scripts.bench_tracing [--rounds N] [--record FILE] [--json]

Each service runs five times side by side, on the same handlers: without telemetry, with this lab's metrics and logs,
with its traces too, with prometheus-flask-exporter, and with that and OpenTelemetry's instrumentations of Flask and
psycopg. The counters that the lab's controls read belong to the handlers. A round measures a block of requests of each,
in this order and then backwards, so that a change of the machine's speed meets all of them. The gateway forwards to a
service that does nothing; the feed is the canary, which executes 48 statements a request, with a database of its own.

Those libraries are installed into .cache/bench-tracing. The exit status is 1 when the gateway's telemetry costs more
than it may, or more than either of the others.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from flask import Flask, Response

from lab.cli import text
from lab.errors import LabError, ToolError
from lab.paths import ROOT, Home, Ports
from lab.stack.backends import postgres, valkey
from lab.stack.processes import orphans
from lab.telemetry.server import Server
from lab.telemetry.settings import Address
from scripts.figures import write_section
from scripts.separate_lab import Lab
from scripts.telemetry_sides import BARE, EXPORTER, OPENTELEMETRY, OURS, SERVICES, SIDES

# Versions that agree on opentelemetry-semantic-conventions: the newest instrumentations and SDK do not always.
LIBRARIES = (
    "prometheus-flask-exporter==0.23.2", "opentelemetry-sdk==1.45.1", "opentelemetry-instrumentation-flask==0.66b1",
    "opentelemetry-instrumentation-psycopg==0.66b1",
)  # fmt: skip
MAX_RATIO = 1.15
# Requests of a block, and a second: below what one processor can serve with the most expensive telemetry.
BLOCKS = {"gateway": (400, 200.0), "feed": (60, 20.0)}
PORT_BASE = 8600
WARM_UP = 50


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and record. Raises LabError."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8, help="how often each service is measured in both directions")
    parser.add_argument("--record", type=Path, help="write the figures to this file, section tracing")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    given = parser.parse_args(arguments)
    figures = {"rounds": given.rounds, "libraries": list(LIBRARIES), "max_ratio": MAX_RATIO, **measure(given.rounds)}
    if given.json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    else:
        show(figures)
    if given.record:
        write_section(given.record, "tracing", figures)
    cost = {side: figures["gateway"][side]["cpu_us"] for side in SIDES}
    return int(cost[OURS] > MAX_RATIO * cost[BARE] or cost[OURS] > min(cost[EXPORTER], cost[OPENTELEMETRY]))


def measure(rounds: int) -> dict[str, Any]:
    """The figures of every side, by service and side."""
    install()
    with ExitStack() as stack:
        urls = {"gateway": [stack.enter_context(idle_service())], "feed": list(stack.enter_context(databases()))}
        return {service: measured(service, urls[service], rounds) for service in SERVICES}


def measured(service: str, urls: list[str], rounds: int) -> dict[str, Any]:
    """Each side's processor time and latencies, from blocks in both directions."""
    count, rate = BLOCKS[service]
    cpu: dict[str, list[float]] = {side: [] for side in SIDES}
    latencies: dict[str, list[float]] = {side: [] for side in SIDES}
    with ExitStack() as stack:
        processes = {side: stack.enter_context(started(service, side, urls)) for side in SIDES}
        for process in processes.values():
            ask(process, WARM_UP, rate)
        for number in range(rounds):
            sys.stderr.write(f"{service}: round {number + 1} of {rounds}\n")
            for side in (*SIDES, *reversed(SIDES)):
                block = ask(processes[side], count, rate)
                if block["answered"] != count:
                    raise LabError(f"{service}, {side}: {count - block['answered']} of {count} requests failed")
                cpu[side].append(block["cpu_seconds"] / count)
                latencies[side] += block["latencies"]
    bare = statistics.median(cpu[BARE])
    return {
        side: {
            "cpu_us": round(statistics.median(cpu[side]) * 1e6, 1),
            "ratio": round(statistics.median(cpu[side]) / bare, 3),
            "p50_ms": round(statistics.median(latencies[side]) * 1e3, 3),
            "p99_ms": round(statistics.quantiles(latencies[side], n=100)[98] * 1e3, 3),
        }
        for side in SIDES
    }


def show(figures: dict[str, Any]) -> None:
    """Print a table."""
    for service in SERVICES:
        rows = [
            (
                side,
                f"{one['cpu_us']:.0f} us",
                f"{one['ratio']:.2f}",
                f"{one['p50_ms']:.2f} ms",
                f"{one['p99_ms']:.2f} ms",
            )
            for side, one in figures[service].items()
        ]
        head = (service, "CPU per request", "of bare", "median", "p99")
        text.table(head, rows, "", right=head[1:])


@contextmanager
def started(service: str, side: str, urls: list[str]) -> Iterator[subprocess.Popen[str]]:
    """The process of one side."""
    env = dict(os.environ)
    if side in (EXPORTER, OPENTELEMETRY):
        env["PYTHONPATH"] = str(folder())
    command = [sys.executable, "-m", "scripts.telemetry_sides", service, side, *urls]
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def ask(process: subprocess.Popen[str], count: int, rate: float) -> dict[str, Any]:
    """The result of one block. Raises LabError when the process has ended."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("the process has no pipes")
    try:
        process.stdin.write(f"[{count}, {rate}]\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass
    line = process.stdout.readline()
    if not line:
        raise LabError(f"{' '.join(map(str, process.args))} ended")  # type: ignore[arg-type]
    result: dict[str, Any] = json.loads(line)
    return result


@contextmanager
def idle_service() -> Iterator[str]:
    """The URL of a service that answers every request with the same small feed."""
    app = Flask("idle")
    body = json.dumps({"items": [{"id": number, "body": "x" * 80} for number in range(16)]})

    @app.get("/<path:path>")
    def anything(path: str) -> Response:
        del path
        return Response(body, content_type="application/json")

    port = next(port for port in range(PORT_BASE + 100, PORT_BASE + 200) if orphans.port_free(port))
    server = Server(app, Address("127.0.0.1", port), threads=2)
    server.run_in_thread("idle")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.drain(1)


@contextmanager
def databases() -> Iterator[tuple[str, str]]:
    """The URLs of PostgreSQL and Valkey of a lab of its own, without traffic."""
    with tempfile.TemporaryDirectory(prefix="fleetops-") as name:
        home, ports = Home(Path(name) / "home"), Ports(PORT_BASE)
        lab = Lab(home.path, PORT_BASE)
        with lab.up():
            if (done := lab.run("traffic", "rate", "0")).returncode:
                raise LabError(done.stderr.strip())
            yield postgres.url(home, ports.postgres), valkey.url(ports.valkey)


def folder() -> Path:
    """Where the libraries are installed."""
    return ROOT / ".cache" / "bench-tracing"


def install() -> None:
    """Install the libraries unless these versions are there. Raises ToolError."""
    stamp = folder() / "installed.txt"
    if stamp.is_file() and stamp.read_text() == "\n".join(LIBRARIES):
        return
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--upgrade"]
    done = subprocess.run(
        [*command, "--target", str(folder()), *LIBRARIES], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ToolError(f"pip install {' '.join(LIBRARIES)}: {done.stderr.strip().splitlines()[-1]}")
    stamp.write_text("\n".join(LIBRARIES))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_status)
