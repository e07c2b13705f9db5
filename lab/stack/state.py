"""The state of a running lab: who started it, its URL, its replicas and their routing."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import psutil

from lab.atomic_write import write_text
from lab.errors import LabError
from lab.file_lock import LockHeld, held
from lab.paths import MAX_REPLICAS, Home
from lab.stack.programs import DEFAULT_REPLICAS
from lab.telemetry import json_text

LOCK_SECONDS = 180.0
SAME_START_SECONDS = 5.0  # a clock correction may shift the start time by about a second
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class RunState:
    """One run. `phase` is "starting" or "ready"; `starter` and `supervisor` are process ids, times epoch seconds."""

    phase: str
    starter: int
    supervisor: int
    port_base: int
    url: str
    started_at: float
    ready_seconds: float
    foreground: bool


def _file(home: Home) -> Path:
    return home.run / "lab.json"


def read(home: Home) -> RunState | None:
    """The state of the last run; None after a clean shutdown, before the first start, or when the file is damaged."""
    return read_document(_file(home), RunState)


def unclean(home: Home) -> bool:
    """Whether the last run was not shut down: its file exists, readable or not."""
    return _file(home).exists()


def write(home: Home, state: RunState) -> None:
    """Save `state`."""
    write_text(_file(home), json.dumps(asdict(state)))


def clear(home: Home) -> None:
    """Delete the state of a run that has ended."""
    for name in ("lab.json", "supervisord.pid", "supervisor.sock", "replicas.json", "routing.json"):
        (home.run / name).unlink(missing_ok=True)


def read_replicas(home: Home) -> dict[str, int]:
    """The number of replicas that each scalable service should have; the defaults when the file is damaged."""
    counts = read_document(home.run / "replicas.json", dict[str, int])
    if counts is None or not DEFAULT_REPLICAS.keys() <= counts.keys():
        return dict(DEFAULT_REPLICAS)
    return {service: min(max(counts[service], 1), MAX_REPLICAS) for service in DEFAULT_REPLICAS}


def write_replicas(home: Home, counts: dict[str, int]) -> None:
    """Save the number of replicas of each service, until `fleetops down`."""
    write_text(home.run / "replicas.json", json.dumps(counts))


@dataclass(frozen=True)
class Routing:
    """Exceptions in the gateway's routing: the drained replicas, and the local ports of detours, by replica."""

    drained: tuple[str, ...] = ()
    detours: dict[str, Annotated[int, msgspec.Meta(ge=1, le=65535)]] = field(default_factory=dict)


def read_routing(home: Home) -> Routing:
    """The current routing; without exceptions when the file is missing or damaged."""
    return read_document(home.run / "routing.json", Routing) or Routing()


def write_routing(home: Home, routing: Routing) -> None:
    """Save the routing, until `fleetops down`."""
    write_text(home.run / "routing.json", json.dumps(asdict(routing)))


def runner_file(home: Home) -> Path:
    """The file with the process id of the running drill, written by lab/drills/run/stoppable.py."""
    return home.run / "drill.runner"


@dataclass(frozen=True)
class Runner:
    """The process of a running drill. `drill` is its id, or `random`; `started` is the process's start (epoch s)."""

    drill: str
    pid: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
    started: float

    @property
    def alive(self) -> bool:
        """Whether this process still runs, and not another one with the same pid."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < SAME_START_SECONDS
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


def read_runner(home: Home) -> Runner | None:
    """The running drill, or one that was killed; None without a drill."""
    return read_document(runner_file(home), Runner)


def read_document(path: Path, kind: type[Kind]) -> Kind | None:
    """The document of a state file; None when the file is missing, unreadable or not such a document."""
    try:
        return msgspec.convert(json_text.parse(path.read_bytes()), kind)
    except (OSError, ValueError):
        return None


def is_alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def make_directories(home: Home) -> None:
    """Create the state directory and the control token, if missing. LabError when it cannot be written."""
    try:
        for folder in (home.path, home.run, home.data, home.logs, home.bin):
            folder.mkdir(parents=True, exist_ok=True)
        if not home.token.exists():
            write_text(home.token, secrets.token_urlsafe(32) + "\n", mode=0o600)
    except OSError as error:
        raise LabError(
            f"cannot write the state directory {home.path}: {error.strerror}; set FLEETOPS_HOME to a writable directory"
        ) from error


@contextmanager
def lock(home: Home, waiting: Callable[[bool], None] = lambda _: None) -> Iterator[None]:
    """Hold the lock of the lab, so that only one process starts or stops it at a time.

    While waiting, calls `waiting` repeatedly, with whether it has been called before; it may raise. Raises LabError
    after LOCK_SECONDS.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    waited = False
    with ExitStack() as holding:
        while True:
            try:
                holding.enter_context(held(home.run / "start.lock", wait=False))
                break
            except LockHeld:
                if time.monotonic() > deadline:
                    raise LabError(
                        f"another `fleetops up` or `down` has held {home.run} for {LOCK_SECONDS:.0f} s"
                    ) from None
                waiting(waited)
                waited = True
                time.sleep(0.1)
        yield
