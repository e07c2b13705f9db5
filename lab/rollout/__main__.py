"""The controller's process: `python -m lab.rollout`. Ticks every second until the rollout is over, then ends."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import ExitStack

from lab.control.lab_clients import LabClients
from lab.errors import LabError
from lab.names import ROLLOUT_CONTROLLER
from lab.paths import home
from lab.rollout import journal
from lab.rollout.actions import PROGRAM
from lab.rollout.controller import Controller
from lab.telemetry import logs
from lab.telemetry.process import program
from lab.telemetry.settings import Settings

TICK_SECONDS = 1.0


def main() -> None:
    """Control the rollout of the journal. Raises UsageError when another controller does."""
    logs.configure(Settings.read(PROGRAM, public=False, admin=False))
    log = logs.get()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with ExitStack() as control:
        control.enter_context(journal.controlling(home()))
        controller, before = Controller(LabClients.here(ROLLOUT_CONTROLLER)), ""
        while not stopping.is_set():
            began = time.monotonic()
            try:
                rollout = controller.tick()
                said = "no rollout" if rollout is None else f"{rollout.phase} {rollout.step_key} {rollout.frozen}"
            except (LabError, OSError) as error:
                rollout, said = None, f"tick failed: {error}"
            else:
                if (rollout is None or rollout.is_over) and _given_up(control):
                    log.info("rollout over", state=said)
                    break
            if said != before:
                log.info("rollout", state=said, reason=rollout.reason if rollout else "")
                before = said
            stopping.wait(max(0.0, TICK_SECONDS - (time.monotonic() - began)))
    stopping.wait(TICK_SECONDS)  # supervision takes a process that ends within a second for a failed start


def _given_up(control: ExitStack) -> bool:
    """Stop being the controller, unless somebody has just begun another rollout."""
    with journal.locked(home()):
        rollout = journal.load(home())
        if rollout is not None and not rollout.is_over:
            return False
        control.close()
        return True


if __name__ == "__main__":
    program(main)
