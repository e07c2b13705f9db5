"""Lets other processes find a running drill and stop it.

While a signal can stop a drill, `run/drill.runner` names its process. Stopping it from elsewhere sends that signal, so
that the drill undoes its faults as after Ctrl-C; a drill whose process was killed is undone from its journal.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from types import FrameType

import psutil

from lab.atomic_write import write_json
from lab.control.lab_clients import LabClients
from lab.drills.undo.journal import exclusive, journal_path, undo
from lab.errors import LabError, UsageError
from lab.paths import Home
from lab.stack.state import Runner, read_runner, runner_file

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GIVE_UP_SECONDS = 100.0
POLL_SECONDS = 0.05


def announce(home: Home, drill: str, pid: int) -> None:
    """Let other processes find the process `pid`, which runs `drill` or is about to."""
    with suppress(psutil.NoSuchProcess):
        write_json(runner_file(home), asdict(Runner(drill, pid, psutil.Process(pid).create_time())))


def runner(home: Home) -> Runner | None:
    """The process of the running drill, or None."""
    process = read_runner(home)
    return process if process and process.alive else None


def left_over(home: Home) -> bool:
    """Whether a drill that no longer runs left a journal to undo."""
    return journal_path(home).exists() and runner(home) is None


@contextmanager
def stoppable(home: Home, drill: str) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP end the body with KeyboardInterrupt, and announce the drill to other processes.

    SIGINT is set explicitly because a shell starts background jobs with it ignored. Signals after the first one are
    ignored, so that they cannot interrupt the undo.
    """

    def ignore(_number: int, _frame: FrameType | None) -> None:
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in SIGNALS:
            signal.signal(number, ignore)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        announce(home, drill, os.getpid())
        yield
    finally:
        runner_file(home).unlink(missing_ok=True)
        for number, handler in before.items():
            signal.signal(number, handler)


def give_up(clients: LabClients) -> str:
    """Stop the running drill as Ctrl-C would, or undo a killed one; returns a one-line report.

    Raises UsageError when there is no drill to stop or undo, LabError when it does not stop or cannot be undone.
    """
    began, running = time.monotonic(), runner(clients.home)
    if running is not None:
        _stop(clients.home, running)
        undo(clients, of_process=running.pid)  # in case it was killed meanwhile
    elif journal_path(clients.home).exists():
        with exclusive(clients.home):
            undo(clients)
    else:
        raise UsageError("no drill is running, and there is none to undo")
    return f"{running.drill if running else 'a killed drill'}: given up, undone in {time.monotonic() - began:.1f} s"


def _stop(home: Home, running: Runner) -> None:
    """Send SIGTERM to the drill and wait until it has ended. Raises LabError when it does not."""
    with suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
        os.kill(running.pid, signal.SIGCONT)  # a suspended process handles SIGTERM only once it is resumed
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while runner(home) == running:
        if time.monotonic() > deadline:
            raise LabError(
                f"{running.drill} got SIGTERM {GIVE_UP_SECONDS:.0f} s ago and still runs as process {running.pid};"
                f" 'kill -9 {running.pid}', then 'fleetops drill stop' again"
            )
        time.sleep(POLL_SECONDS)
