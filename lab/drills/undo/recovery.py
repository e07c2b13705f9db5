"""Recovery from a drill or a lab that was killed: undone by `fleetops up` and `fleetops doctor`."""

from __future__ import annotations

from lab.clients.times import utc_text
from lab.control.lab_clients import LabClients
from lab.drills.undo.journal import (
    DamagedJournal,
    journal_path,
    running,
    set_aside_if_damaged,
    undo_at_rest,
    undo_left_over,
)
from lab.errors import LabError
from lab.stack.health.doctor import Finding
from lab.stack.processes.supervision import Supervisor


def before_start(clients: LabClients) -> list[str]:
    """Before the lab starts: undo the parts of a killed drill that would keep it from starting; one line per change."""
    try:
        return [f"undid a drill that was killed: {line}" for line in undo_at_rest(clients)]
    except DamagedJournal as damaged:
        return [f"fleetops: {damaged}"]


def tidy(clients: LabClients, started_at: float) -> list[str]:
    """Undo a killed drill and close pages that were open when the lab stopped; one line per change.

    `started_at` is when this start of the lab began (epoch seconds). A stopped Alertmanager loses its firing alerts, so
    it never resolves pages from before its stop; an alert that still fires arrives as a new page.
    """
    done = [f"undid a drill that was killed: {line}" for line in undo_left_over(clients)]
    clients.trail.flush()
    closed = clients.pager.close_left_open(utc_text(started_at))
    if closed:
        done.append(f"closed {closed} pages that were open when the lab stopped")
    return done


def examine(clients: LabClients) -> list[Finding]:
    """The checks of `fleetops doctor` for a killed drill and undelivered audit rows; fixed at once if the lab runs."""
    return [_drill(clients), _audit(clients)]


def _audit(clients: LabClients) -> Finding:
    up = Supervisor(clients.home).pid() is not None
    if up:
        clients.trail.flush()
    backlog = clients.trail.spool.backlog()
    fix = f"read {backlog.refused_file}, then move it away" if backlog.refused else "`fleetops service restart pager`"
    return Finding("audit-log", not backlog.refused and not (backlog.waiting and up), str(backlog), fix)


def _drill(clients: LabClients) -> Finding:
    name = "drill-leftovers"
    if not journal_path(clients.home).exists():
        return Finding(name, True, "none")
    if running(clients.home):
        return Finding(name, True, "a drill is running")
    try:
        set_aside_if_damaged(clients.home)
        if Supervisor(clients.home).pid() is None:
            left = f"a drill was killed; {journal_path(clients.home)} holds the state to restore"
            return Finding(name, False, left, "`fleetops up` undoes it")
        changed = undo_left_over(clients)
    except DamagedJournal as error:
        return Finding(name, False, str(error), "restore the settings by hand")
    except LabError as error:
        return Finding(name, False, f"a drill was killed and cannot be undone: {error}", "`fleetops drill undo`")
    if journal_path(clients.home).exists():
        return Finding(name, True, "a drill has just begun")
    return Finding(name, True, f"undid a drill that was killed: {', '.join(changed) or 'nothing was left to change'}")
