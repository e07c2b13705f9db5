"""Stop the lab and every process it has left."""

from __future__ import annotations

import os

import psutil

from lab.paths import Home
from lab.stack import state
from lab.stack.processes import orphans, supervision
from lab.stack.processes.supervision import Supervisor

STOP_SECONDS = 60.0


def stop(home: Home, timeout_seconds: float = STOP_SECONDS) -> bool:
    """Stop supervisord, its programs, and leftovers of earlier runs; True when there was something to stop.

    supervisord is killed when it has not exited after `timeout_seconds`.
    """
    pid = Supervisor(home).pid()
    if pid is not None:
        process = psutil.Process(pid)
        process.terminate()
        _, alive = psutil.wait_procs([process], timeout=timeout_seconds)
        orphans.end(alive)
    leftovers = orphans.find(home)
    orphans.end(leftovers)
    state.clear(home)
    supervision.socket_path(home).unlink(missing_ok=True)
    return bool(pid is not None or leftovers)


def down(home: Home) -> bool:
    """Stop the lab in `home`, even if it is still starting; True when there was something to stop."""
    if not home.run.is_dir():
        return False
    run = state.read(home)
    if run is not None and run.phase == "starting" and state.is_alive(run.starter) and run.starter != os.getpid():
        psutil.Process(run.starter).terminate()
    with state.lock(home):
        return stop(home) or run is not None
