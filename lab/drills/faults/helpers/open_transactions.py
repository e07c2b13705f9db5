"""The helper behind `open-transactions`. It is run by helper.py.

Each session is a thread with a connection of its own. It says "ready" when every session has its connection and has
sent its statements, or waits for them; it ends, and the server rolls everything back, when its input ends.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

import psycopg

from lab.paths import home, ports
from lab.stack.backends import postgres

AGAIN_SECONDS = 0.2
# A statement that has not come back within this time is one that waits for a lock.
SENT_SECONDS = 1.0


class Session(threading.Thread):
    """One connection with one transaction that nobody ends."""

    def __init__(self, url: str, told: dict[str, Any]) -> None:
        super().__init__(daemon=True)
        self.url, self.told = url, told
        self.connected, self.sent = threading.Event(), threading.Event()
        self.failure = ""

    def run(self) -> None:
        """Open it; again, when it is ended from outside and `reopens`."""
        while True:
            try:
                self._hold()
            except psycopg.Error as error:
                self.failure = str(error).strip().splitlines()[0]
            if not self.told["reopens"]:
                return
            time.sleep(AGAIN_SECONDS)

    def _hold(self) -> None:
        with psycopg.connect(
            self.url, autocommit=True, connect_timeout=5, application_name=self.told["application"]
        ) as connection:
            self.connected.set()
            connection.execute("BEGIN")
            for statement in self.told["statements"]:
                connection.execute(statement.encode())
            self.sent.set()
            # Idle in transaction; returns, with an error, when the server ends the session.
            for _ in connection.notifies():
                pass


def main(told: dict[str, Any]) -> None:
    """Hold the sessions until the input ends."""
    url = postgres.url(home(), ports().postgres)
    sessions = [Session(url, told) for _ in range(told["sessions"])]
    for session in sessions:
        session.start()
    end = time.monotonic() + SENT_SECONDS
    for session in sessions:
        while not session.connected.wait(0.05):
            if not session.is_alive():
                sys.exit(session.failure or "a session ended at once")
        session.sent.wait(max(0.0, end - time.monotonic()))
    if failures := {s.failure for s in sessions if s.failure and not s.is_alive()}:
        sys.exit(", ".join(sorted(failures)))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)  # the sockets close, the server rolls back; a thread that waits for a lock would keep the process
