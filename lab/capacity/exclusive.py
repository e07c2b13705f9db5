"""Takes the lab for a measurement of capacity.

The measurement holds the drills' lock and journal: no drill runs beside it, and whatever ends it, also a kill, the
lab's configuration and load are put back. Afterwards monitoring starts with a clean slate, because the measurement
spends error budgets and fires alerts that mean nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from lab.control.lab_clients import LabClients
from lab.drills.faults import Fault
from lab.drills.run.stoppable import stoppable
from lab.drills.runner import require_nothing_staged
from lab.drills.undo.journal import exclusive, undo, undoing
from lab.drills.undo.watchdog import guarded
from lab.stack import clean_slate

EXPIRY_MARGIN_SECONDS = 900.0

Report = Callable[[str], None]


@contextmanager
def exclusive_lab(
    clients: LabClients, name: str, faults: Sequence[Fault], seconds: float, report: Report
) -> Iterator[None]:
    """Take the lab for about so many seconds: undo earlier drills, and afterwards these faults and every setting.

    Raises DrillRunning when a drill or another measurement runs.
    """
    clients.retry_reads()
    with exclusive(clients.home), stoppable(clients.home, name):
        for line in undo(clients):
            report(f"undid an earlier drill: {line}")
        require_nothing_staged(clients)
        clean_slate.require_no_silences(clients.home, clients.ports)
        expires_at = time.time() + seconds + EXPIRY_MARGIN_SECONDS
        with ExitStack() as ending:
            ending.callback(_clean, clients, report)
            ending.enter_context(guarded(clients.home, clients.ports, expires_at))
            ending.enter_context(undoing(clients, name, faults, expires_at))
            yield


def _clean(clients: LabClients, report: Report) -> None:
    seconds = clean_slate.clean(clients.home, clients.ports, clients.pager)
    report(f"the lab is as before; history deleted, every error budget full ({seconds:.1f} s)")
