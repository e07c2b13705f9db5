"""What a lab that was stopped in the middle of something leaves behind, put right at its next start."""

from __future__ import annotations

from lab.control.desk import Desk
from lab.drills.journal import undo_left_over
from lab.oncall.times import utc_text


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
