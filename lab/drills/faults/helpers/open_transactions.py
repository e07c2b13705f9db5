"""The helper of `open-transactions`: sessions that hold a transaction open. program.py runs it.

Each session is a thread with its own connection. The helper prints "ready" once every session is connected and has run
its statements or waits for a lock in one. It ends when standard input ends, and the server rolls everything back.
"""

from __future__ import annotations

import os
import sys
import threading
import time

import psycopg

from lab.drills.faults.helpers.options import HeldTransactions
from lab.paths import home, ports
from lab.stack.backends import postgres

RECONNECT_SECONDS = 0.2
# A statement that has not returned after this time is assumed to be waiting for a lock.
LOCK_WAIT_SECONDS = 1.0


class Session(threading.Thread):
    """One connection with one transaction that stays open. `failure` is why its last connection ended, or ""."""

    def __init__(self, url: str, options: HeldTransactions) -> None:
        super().__init__(daemon=True)
        self.url, self.options = url, options
        self.connected, self.executed = threading.Event(), threading.Event()
        self.failure = ""

    def run(self) -> None:
        """Hold the transaction open; with `reopens`, reconnect when the session was ended from outside."""
        while True:
            try:
                self._hold()
            except psycopg.Error as error:
                self.failure = str(error).strip().splitlines()[0]
            if not self.options.reopens:
                return
            time.sleep(RECONNECT_SECONDS)

    def _hold(self) -> None:
        with psycopg.connect(
            self.url, autocommit=True, connect_timeout=5, application_name=self.options.application
        ) as connection:
            self.connected.set()
            connection.execute("BEGIN")
            for statement in self.options.statements:
                connection.execute(statement.encode())
            self.executed.set()
            # Idle in transaction; returns, with an error, when the server ends the session.
            for _ in connection.notifies():
                pass


def main(options: HeldTransactions) -> None:
    """Hold the sessions until standard input ends; exits with a message when one fails."""
    url = postgres.url(home(), ports().postgres)
    sessions = [Session(url, options) for _ in range(options.sessions)]
    for session in sessions:
        session.start()
    end = time.monotonic() + LOCK_WAIT_SECONDS
    for session in sessions:
        while not session.connected.wait(0.05):
            if not session.is_alive():
                sys.exit(session.failure or "a session ended at once")
        session.executed.wait(max(0.0, end - time.monotonic()))
    if failures := {session.failure for session in sessions if session.failure and not session.is_alive()}:
        sys.exit(", ".join(sorted(failures)))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)  # closes the sockets, so the server rolls back; a normal exit would wait for a thread in a lock wait
