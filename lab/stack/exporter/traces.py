"""The trace collector: fetches the chosen traces from every process once a second, and stores them whole.

Processes keep their spans for ten seconds. The gateway says which traces are worth keeping; each is asked for a few
times, because a process may still work on a request that its caller gave up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic
from typing import TypeVar

import msgspec

from lab import names
from lab.clients.http import JsonClient
from lab.clients.pager import read_token
from lab.errors import LabError
from lab.paths import Home, Ports
from lab.stack import replicas
from lab.stack.exporter.worker import Worker
from lab.stack.programs import REPLICA_MODULES, Program, url
from lab.telemetry.metrics import CollectorRegistry, Counter, Gauge
from lab.telemetry.span_routes import MAX_IDS, Choice, Choices, Process, Spans
from lab.tracing import otlp, store
from lab.tracing.documents import Trace

POLL_SECONDS = 1.0
# How often each trace is asked for: until the longest timeout of the gateway has passed.
ROUNDS = 4
TIMEOUT_SECONDS = 0.5
PRUNE_SECONDS = 30.0
GATEWAY = "gateway"
T = TypeVar("T")


class Pending:
    """A chosen trace that is still asked for."""

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.rounds = ROUNDS
        self.processes: dict[str, Process] = {}
        self.stored = True  # whether the store has everything that is known

    def add(self, process: Process) -> None:
        """Take the spans of a process, if they are more than before."""
        known = self.processes.get(process.instance)
        if known is None or len(known.spans) < len(process.spans):
            self.processes[process.instance] = process
            self.stored = False

    def trace(self) -> Trace:
        """The trace as far as it is known."""
        return Trace(self.choice.trace_id, self.choice.reason, list(self.processes.values()))


class TraceCollector(Worker):
    """Runs the collector in a thread. No request waits for it: a process that does not answer is asked again."""

    def __init__(
        self, home: Home, ports: Ports, registry: CollectorRegistry, export: Callable[[Iterable[Trace]], None]
    ) -> None:
        """`export` gets each trace once, when it is no longer asked for; it must not block."""
        super().__init__("traces", TIMEOUT_SECONDS * 2)
        self._home, self._ports = home, ports
        self._export = export
        self._clients: dict[str, JsonClient] = {}
        self._pending: dict[str, Pending] = {}
        self._seen = 0
        self._writer: store.Writer | None = None
        self._prune_at = 0.0
        self._kept = Counter(names.TRACES_KEPT, "Traces stored, by why they were kept.", ["reason"], registry=registry)
        self._bytes = Gauge(names.TRACE_STORE_BYTES, "Compressed traces in the store.", registry=registry)
        self._failures = Counter(
            names.TRACE_FETCH_FAILURES, "Requests for spans that a process did not answer.", ["instance"],
            registry=registry,
        )  # fmt: skip

    def _run(self) -> None:
        while not self._stopped.wait(POLL_SECONDS):
            self.poll()

    def poll(self) -> None:
        """Ask for new choices and for the spans of all that are pending, once, and store what is new.

        Raises sqlite3.Error when it cannot be stored; the next polls try again, as long as the traces are asked for.
        """
        running = {
            program.name: program
            for program in replicas.expected(self._home, self._ports)
            if program.name == GATEWAY or program.service in REPLICA_MODULES
        }
        self._choose(running[GATEWAY])
        for program in running.values():
            for ids in _batches(list(self._pending)):
                answer = self._get(program, "/admin/spans", {"ids": ",".join(ids)}, Spans)
                for ident, process in answer.traces.items() if answer else ():
                    if ident in self._pending:
                        self._pending[ident].add(process)
        try:
            self._store([pending for pending in self._pending.values() if not pending.stored])
        finally:  # on a full disk too, so that pending traces are bounded
            self._retire()

    def _choose(self, gateway: Program) -> None:
        answer = self._get(gateway, "/admin/traces", {"after": str(self._seen)}, Choices)
        if answer is None:
            return
        self._seen = answer.count
        for choice in answer.chosen:
            if choice.trace_id not in self._pending:
                self._pending[choice.trace_id] = Pending(choice)
                self._kept.labels(choice.reason).inc()

    def _store(self, changed: list[Pending]) -> None:
        if self._writer is None:
            self._writer = store.Writer(store.path(self._home))
        if changed:
            self._writer.add(pending.trace() for pending in changed)
        for pending in changed:
            pending.stored = True
        if monotonic() >= self._prune_at:
            self._bytes.set(self._writer.prune())
            self._prune_at = monotonic() + PRUNE_SECONDS

    def _retire(self) -> None:
        """Export the traces that have been asked for ROUNDS times, and ask for them no longer."""
        for pending in self._pending.values():
            pending.rounds -= 1
        final = [pending for pending in self._pending.values() if not pending.rounds]
        self._pending = {ident: pending for ident, pending in self._pending.items() if pending.rounds}
        self._export(pending.trace() for pending in final)

    def _get(self, program: Program, path: str, fields: dict[str, str], kind: type[T]) -> T | None:
        client = self._clients.get(program.name)
        if client is None:
            client = self._clients[program.name] = JsonClient(
                url(program.metrics_port), what=program.name, token=read_token(self._home),
                timeout_seconds=TIMEOUT_SECONDS,
            )  # fmt: skip
        try:
            return msgspec.convert(client.call("GET", path, fields=fields), kind)
        except (LabError, msgspec.ValidationError):
            self._failures.labels(program.name).inc()
            return None


def _batches(ids: list[str]) -> Iterable[list[str]]:
    return (ids[start : start + MAX_IDS] for start in range(0, len(ids), MAX_IDS))


class OtlpExporter(Worker):
    """Posts traces to an OTLP endpoint (OTEL_EXPORTER_OTLP_ENDPOINT) in a thread; those that it refuses are dropped."""

    QUEUE = 1_000
    BATCH = 100

    def __init__(self, endpoint: str, registry: CollectorRegistry) -> None:
        super().__init__("otlp", 2 * TIMEOUT_SECONDS)
        self._client = JsonClient(endpoint, what="the OTLP endpoint", timeout_seconds=2 * TIMEOUT_SECONDS)
        self._queue: deque[Trace] = deque(maxlen=self.QUEUE)
        self._results = Counter(
            names.TRACES_EXPORTED, "Traces sent to the OTLP endpoint.", ["result"], registry=registry
        )

    def export(self, traces: Iterable[Trace]) -> None:
        """Queue traces; when the queue is full, the oldest are dropped."""
        for trace in traces:
            if len(self._queue) == self.QUEUE:
                self._results.labels("dropped").inc()
            self._queue.append(trace)

    def _run(self) -> None:
        while not self._stopped.wait(POLL_SECONDS):
            while self._queue and not self._stopped.is_set():
                self._send([self._queue.popleft() for _ in range(min(self.BATCH, len(self._queue)))])

    def _send(self, traces: list[Trace]) -> None:
        try:
            self._client.call("POST", "/v1/traces", otlp.request(traces))
        except LabError as problem:
            self._results.labels("failed").inc(len(traces))
            self._log.warning("traces not exported", traces=len(traces), reason=str(problem)[:200])
        else:
            self._results.labels("sent").inc(len(traces))
