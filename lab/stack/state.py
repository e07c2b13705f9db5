"""What is known about a lab while it runs: who started it, where it answers, how many replicas it should have."""

from __future__ import annotations

import fcntl
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import psutil

from lab.atomic_write import write_text
from lab.errors import LabError
from lab.paths import MAX_REPLICAS, Home
from lab.stack.programs import DEFAULT_REPLICAS

LOCK_SECONDS = 180.0


@dataclass(frozen=True)
class RunState:
    """One run: `phase` is starting or ready, `starter` the process that brings it up (and stays, in the foreground)."""

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
    """The state of the last run; None when the lab was shut down in order, never started, or the file is garbled."""
    try:
        run = RunState(**json.loads(_file(home).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    types = {"str": str, "int": int, "float": int | float, "bool": bool}
    return run if all(isinstance(getattr(run, one.name), types[str(one.type)]) for one in fields(run)) else None


def left(home: Home) -> bool:
    """Whether the last run was not shut down in order: its file is there, readable or not."""
    return _file(home).exists()


def write(home: Home, state: RunState) -> None:
    """Keep `state`."""
    write_text(_file(home), json.dumps(asdict(state)))


def clear(home: Home) -> None:
    """The run has ended."""
    for name in ("lab.json", "supervisord.pid", "supervisor.sock", "replicas.json", "routing.json"):
        (home.run / name).unlink(missing_ok=True)


def read_replicas(home: Home) -> dict[str, int]:
    """How many replicas of each scalable service should run."""
    try:
        told = json.loads((home.run / "replicas.json").read_text(encoding="utf-8"))
        return {service: min(max(int(told[service]), 1), MAX_REPLICAS) for service in DEFAULT_REPLICAS}
    except (OSError, ValueError, LookupError, TypeError):
        return dict(DEFAULT_REPLICAS)


def write_replicas(home: Home, counts: dict[str, int]) -> None:
    """Keep how many replicas should run; forgotten at `fleetops down`."""
    write_text(home.run / "replicas.json", json.dumps(counts))


@dataclass(frozen=True)
class Routing:
    """Which replicas the gateway is sent nothing to, and by which other port it reaches some, by instance."""

    drained: tuple[str, ...] = ()
    detours: dict[str, int] = field(default_factory=dict)


def read_routing(home: Home) -> Routing:
    """How the gateway reaches the replicas now; straight, all of them, unless something else was written."""
    try:
        told = json.loads((home.run / "routing.json").read_text(encoding="utf-8"))
        return Routing(tuple(told["drained"]), dict(told["detours"]))
    except (OSError, ValueError, LookupError, TypeError):
        return Routing()


def write_routing(home: Home, routing: Routing) -> None:
    """Keep how the replicas are reached; forgotten at `fleetops down`."""
    write_text(home.run / "routing.json", json.dumps(asdict(routing)))


def runner_file(home: Home) -> Path:
    """The file that names the process of the drill that runs (lab/drills/run/stoppable.py writes it)."""
    return home.run / "drill.runner"


def read_runner(home: Home) -> int | None:
    """The process id of the drill that runs, or of one that was killed; None without a drill."""
    try:
        return int(json.loads(runner_file(home).read_text(encoding="utf-8"))["pid"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def is_alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def make_directories(home: Home) -> None:
    """The state directory with its folders and the control token. Raises LabError when it cannot be written."""
    try:
        for folder in (home.path, home.run, home.data, home.logs, home.bin):
            folder.mkdir(parents=True, exist_ok=True)
        if not home.token.exists():
            write_text(home.token, secrets.token_urlsafe(32) + "\n", mode=0o600)
    except OSError as error:
        raise LabError(
            f"cannot write the state directory {home.path}: {error.strerror}; set FLEETOPS_HOME to one you own"
        ) from error


@contextmanager
def lock(home: Home, waiting: Callable[[bool], None] = lambda _: None) -> Iterator[None]:
    """Only one process starts or stops the lab at a time.

    While it has to wait, calls `waiting` again and again, with whether it has waited before; it may raise.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    waited = False
    with (home.run / "start.lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LabError(
                        f"another `fleetops up` or `down` has held {home.run} for {LOCK_SECONDS:.0f} s"
                    ) from None
                waiting(waited)
                waited = True
                time.sleep(0.1)
        yield
