"""The base class of the exporter's threads, and their database connection."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

import psycopg

from lab.telemetry import logs

CONNECT_SECONDS = 2
RESTART_SECONDS = 1.0


class Worker(ABC):
    """Runs `_run` in a thread. `_run` must return at most `timeout_seconds` after `_stopped` is set.

    An exception is logged and `_run` is called again after RESTART_SECONDS, so that a measurement never ends unseen.
    """

    def __init__(self, name: str, timeout_seconds: float) -> None:
        self._stopped = threading.Event()
        self._log = logs.get()
        self._timeout_seconds = timeout_seconds
        self._thread = threading.Thread(target=self._keep_running, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for its end."""
        self._stopped.set()
        self._thread.join(self._timeout_seconds + 1)

    def _keep_running(self) -> None:
        while not self._stopped.is_set():
            try:
                self._run()
            except Exception as problem:  # noqa: BLE001 - whatever it is, the measurement must go on
                self._log.error("worker failed", worker=self._thread.name, reason=repr(problem)[:200])
                self._stopped.wait(RESTART_SECONDS)

    @abstractmethod
    def _run(self) -> None:
        """Work until `_stopped` is set."""


def connect(url: str, application: str, statement_milliseconds: int) -> psycopg.Connection:
    """An autocommit connection with connect and statement timeouts. Raises psycopg.Error."""
    return psycopg.connect(
        url,
        autocommit=True,
        application_name=application,
        connect_timeout=CONNECT_SECONDS,
        options=f"-c statement_timeout={statement_milliseconds}",
    )
