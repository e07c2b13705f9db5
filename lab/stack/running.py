"""Which lab runs in a state directory. The processes tell; run/lab.json adds what they cannot."""

from __future__ import annotations

import psutil

from lab.errors import NotRunning
from lab.paths import Home, Ports
from lab.stack import replicas, state
from lab.stack.processes.supervision import SUPERVISOR, Supervisor
from lab.stack.programs import url


def find(home: Home) -> state.RunState | None:
    """The run that supervisord, which answers now, belongs to; None when none answers.

    When run/lab.json is missing, garbled or about another run, the run is told from the processes: as ready when every
    expected program has been started, else None, as a start that ended badly.
    """
    supervisor = Supervisor(home)
    pid = supervisor.pid()
    if pid is None:
        return None
    written = state.read(home)
    if written is not None and (written.supervisor == pid or written.phase == "starting"):
        return written
    try:
        return _by_processes(home, supervisor, pid)
    except (NotRunning, psutil.Error):  # it has just ended
        return None


def _by_processes(home: Home, supervisor: Supervisor, pid: int) -> state.RunState | None:
    rows = {row.name: row.pid for row in supervisor.processes() if row.name != SUPERVISOR}
    base = next((found for row in rows.values() if row and (found := _port_base(row))), None)
    if base is None or not {program.name for program in replicas.expected(home, Ports(base))} <= rows.keys():
        return None
    began = psutil.Process(pid).create_time()
    return state.RunState("ready", 0, pid, base, url(Ports(base).console), began, 0.0, foreground=False)


def _port_base(pid: int) -> int | None:
    """FLEETOPS_PORT_BASE of a process of ours; None for another program."""
    try:
        text = psutil.Process(pid).environ().get("FLEETOPS_PORT_BASE", "")
    except (psutil.Error, OSError):
        return None
    return int(text) if text.isdigit() else None
