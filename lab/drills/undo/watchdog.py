"""A drill's watchdog: `python -m lab.drills.undo.watchdog`. It undoes the drill when the runner no longer can.

Blocks on a pipe that only the runner holds open. At EOF (the runner finished, or was killed by any signal) or when the
drill expires, it undoes what the journal still holds, usually nothing. It starts before the fault is injected, and
imports the code for the undo only when needed, so that it costs the drill no CPU time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from select import select

from lab.errors import LabError
from lab.paths import ROOT, Home, Ports

TRY_SECONDS = 90.0
AGAIN_SECONDS = 1.0
LEAVE_SECONDS = 5.0
LOG = "drill-guard.log"
MARK = "FLEETOPS_LAB_ID"  # marks the processes of a lab for `fleetops down`; see lab/stack/processes/supervision.py


@contextmanager
def guarded(home: Home, ports: Ports, expires_at: float) -> Iterator[None]:
    """Run the watchdog of this process while the body runs. The drill expires at `expires_at` (epoch seconds)."""
    home.logs.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "FLEETOPS_HOME": str(home.path), "FLEETOPS_PORT_BASE": str(ports.base), MARK: str(home.path)}
    with (home.logs / LOG).open("ab") as log:
        guard = subprocess.Popen(
            [sys.executable, "-m", "lab.drills.undo.watchdog", str(os.getpid()), f"{expires_at:.3f}"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=env,
            cwd=ROOT,
            start_new_session=True,  # what kills the drill's process group or terminal does not reach it
        )
    try:
        yield
    finally:
        if guard.stdin is not None:
            guard.stdin.close()
        with suppress(subprocess.TimeoutExpired):  # it retries a failed undo, also after this process has ended
            guard.wait(LEAVE_SECONDS)


def main() -> None:
    """Wait for EOF on standard input or the expiry of the drill; then undo what the journal still holds."""
    runner, expires_at = int(sys.argv[1]), float(sys.argv[2])
    select([sys.stdin], [], [], max(0.0, expires_at - time.time()))
    end = time.monotonic() + TRY_SECONDS
    while True:
        try:
            for line in _undo(runner):
                _say("undone", line)
            return
        except (LabError, OSError) as error:
            if _disk_is_full():  # no control can be changed while it is
                end = time.monotonic() + TRY_SECONDS
            if time.monotonic() > end:
                _say("gave up", str(error))
                sys.exit(1)
        time.sleep(AGAIN_SECONDS)


def _undo(runner: int) -> list[str]:
    from lab.paths import home

    if not (home().data / "drill.journal.json").exists():
        return []
    from lab.control.lab_clients import LabClients
    from lab.drills.undo.journal import undo

    return undo(LabClients.here(), of_process=runner)


def _disk_is_full() -> bool:
    from lab.paths import home
    from lab.stack.health import disk

    return bool(disk.full(home()))


def _say(event: str, detail: str) -> None:
    from lab.clients.times import utc_text

    with suppress(OSError):  # on a full disk the line is lost
        sys.stdout.write(json.dumps({"ts": utc_text(time.time()), "event": event, "detail": detail}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
