"""A thread of the exporter that goes on until it is told to stop, and its way to the DB."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

import psycopg

from lab.telemetry import logs

CONNECT_SECONDS = 2


class Worker(ABC):
    """`_run` in a thread; it returns soon after `_stopped` is set, at most `patience_seconds` later."""

    def __init__(self, name: str, patience_seconds: float) -> None:
        self._stopped = threading.Event()
        self._log = logs.get()
        self._patience_seconds = patience_seconds
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and close every connection."""
        self._stopped.set()
        self._thread.join(self._patience_seconds + 1)

    @abstractmethod
    def _run(self) -> None:
        """Work until `_stopped` is set."""


def connect(url: str, application: str, statement_milliseconds: int) -> psycopg.Connection:
    """An autocommit connection that gives up on a DB that does not answer. Raises psycopg.Error."""
    return psycopg.connect(
        url,
        autocommit=True,
        application_name=application,
        connect_timeout=CONNECT_SECONDS,
        options=f"-c statement_timeout={statement_milliseconds}",
    )
