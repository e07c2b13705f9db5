"""What a lab that was stopped in the middle of something leaves behind, put right by whoever comes next."""

from __future__ import annotations

from lab.control.desk import Desk
from lab.drills.journal import (
    DamagedJournal,
    journal_path,
    running,
    set_aside_if_damaged,
    undo_at_rest,
    undo_left_over,
)
from lab.errors import LabError
from lab.oncall.times import utc_text
from lab.stack.doctor import Finding
from lab.stack.supervision import Supervisor


def before_start(desk: Desk) -> list[str]:
    """With no lab running: undo of a killed drill what would keep the lab from starting; one line for each thing."""
    try:
        return [f"undid a drill that was killed: {line}" for line in undo_at_rest(desk)]
    except DamagedJournal as damaged:
        return [f"fleetops: {damaged}"]


def tidy(desk: Desk, started_at: float) -> list[str]:
    """Undo a killed drill, close pages that were open when the lab stopped; one line for each thing done.

    `started_at` is when this start of the lab began (epoch seconds). Alertmanager forgets what fired when it stops, so
    nobody would ever tell the pager that an older page is over; what still fires arrives as a page of its own.
    """
    done = [f"undid a drill that was killed: {line}" for line in undo_left_over(desk)]
    desk.trail.flush()
    closed = desk.pager.close_left_open(utc_text(started_at))
    if closed:
        done.append(f"closed {closed} pages that were open when the lab stopped")
    return done


def examine(desk: Desk) -> list[Finding]:
    """What is left of a drill that was killed, and of the audit log. Undoes and delivers it when the lab runs."""
    return [_drill(desk), _audit(desk)]


def _audit(desk: Desk) -> Finding:
    up = Supervisor(desk.home).pid() is not None
    if up:
        desk.trail.flush()
    backlog = desk.trail.spool.backlog()
    mend = f"read {backlog.refused_file}, then move it away" if backlog.refused else "`fleetops service restart pager`"
    return Finding("audit-log", not backlog.refused and not (backlog.waiting and up), str(backlog), mend)


def _drill(desk: Desk) -> Finding:
    name = "drill-leftovers"
    if not journal_path(desk.home).exists():
        return Finding(name, True, "none")
    if running(desk.home):
        return Finding(name, True, "a drill is running")
    try:
        set_aside_if_damaged(desk.home)
        if Supervisor(desk.home).pid() is None:
            left = f"a drill was killed; {journal_path(desk.home)} holds what it left"
            return Finding(name, False, left, "`fleetops up` undoes it")
        changed = undo_left_over(desk)
    except DamagedJournal as error:
        return Finding(name, False, str(error), "put back by hand what is not as usual")
    except LabError as error:
        return Finding(name, False, f"a drill was killed and cannot be undone: {error}", "`fleetops drill undo`")
    if journal_path(desk.home).exists():
        return Finding(name, True, "a drill has just begun")
    return Finding(name, True, f"undid a drill that was killed: {', '.join(changed) or 'nothing was left to change'}")
