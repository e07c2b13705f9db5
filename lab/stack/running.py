"""Find the lab that runs in a state directory, from run/lab.json or, if that is damaged, from its processes."""

from __future__ import annotations

import psutil

from lab.errors import NotRunning
from lab.paths import Home, Ports
from lab.stack import replicas, state
from lab.stack.processes.supervision import SUPERVISOR, Supervisor
from lab.stack.programs import url


def find(home: Home) -> state.RunState | None:
    """The current run; None when supervisord does not answer.

    When run/lab.json is missing, damaged or of another run, the run is derived from the processes: ready when every
    expected program has been started, else None, as for a start that was interrupted.
    """
    supervisor = Supervisor(home)
    pid = supervisor.pid()
    if pid is None:
        return None
    run = state.read(home)
    if run is not None and (run.supervisor == pid or run.phase == "starting"):
        return run
    try:
        return _from_processes(home, supervisor, pid)
    except (NotRunning, psutil.Error):  # it has just stopped
        return None


def _from_processes(home: Home, supervisor: Supervisor, pid: int) -> state.RunState | None:
    pids = {row.name: row.pid for row in supervisor.processes() if row.name != SUPERVISOR}
    bases = (_port_base(process) for process in pids.values() if process)
    base = next((base for base in bases if base is not None), None)
    if base is None or not {program.name for program in replicas.expected(home, Ports(base))} <= pids.keys():
        return None
    began = psutil.Process(pid).create_time()
    return state.RunState("ready", 0, pid, base, url(Ports(base).console), began, 0.0, foreground=False)


def _port_base(pid: int) -> int | None:
    """FLEETOPS_PORT_BASE in the environment of a process; None when it has none."""
    try:
        text = psutil.Process(pid).environ().get("FLEETOPS_PORT_BASE", "")
    except (psutil.Error, OSError):
        return None
    return int(text) if text.isdigit() else None
