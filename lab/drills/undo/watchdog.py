"""A drill's watchdog: `python -m lab.drills.undo.watchdog`. It undoes the fault when the runner no longer can.

It hangs on a line that only the runner holds. When the line ends (the runner finished, or was killed, whatever the
signal), or the drill has outlived its expiry, it undoes what the journal still holds; usually that is nothing. It is
started before anything is broken and does not even import what it may need until then, so it costs the drill nothing.
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
MARK = "FLEETOPS_LAB_ID"  # lab/stack/processes/supervision.py: how `fleetops down` knows the processes of a lab


@contextmanager
def guarded(home: Home, ports: Ports, expires_at: float) -> Iterator[None]:
    """Have a guard watch this process for the length of the body, and for `expires_at` (epoch seconds)."""
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
        with suppress(subprocess.TimeoutExpired):  # it tries again what could not be undone, also without this process
            guard.wait(LEAVE_SECONDS)


def main() -> None:
    """Watch standard input until it ends or the drill expires; then undo what is left."""
    runner, expires_at = int(sys.argv[1]), float(sys.argv[2])
    select([sys.stdin], [], [], max(0.0, expires_at - time.time()))
    end = time.monotonic() + TRY_SECONDS
    while True:
        try:
            for line in _undo(runner):
                _say("undone", line)
            return
        except (LabError, OSError) as error:
            if _disk_is_full():  # no control can be changed until it no longer is
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
