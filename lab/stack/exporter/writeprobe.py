"""The write durability probe: writes increasing numbers through the gateway, and reads them back from the database.

The database must never hold less than the last acknowledged number: a crash may lose writes in flight, but no
acknowledged one.
"""

from __future__ import annotations

import json
import time

import psycopg
import urllib3

from lab import names
from lab.stack.exporter.worker import Worker, connect
from lab.telemetry.metrics import CollectorRegistry, Counter

INTERVAL_SECONDS = 0.5
TIMEOUT_SECONDS = 3.0
STATEMENT_MILLISECONDS = 1000
APPLICATION = "write-probe"
# An account of the seed data that the load generator does not write to.
ACCOUNT = 1234
_PREFIX = "Write probe "
_BIO = "SELECT bio FROM users WHERE id = %s"


class WriteProbe(Worker):
    """Writes in a thread, and compares with the database after each write."""

    def __init__(self, gateway_url: str, database_url: str, registry: CollectorRegistry) -> None:
        super().__init__("write-probe", TIMEOUT_SECONDS)
        self._pool = urllib3.connection_from_url(gateway_url, maxsize=1, retries=False, timeout=TIMEOUT_SECONDS)
        self._url = database_url
        self._acknowledged = 0
        writes = Counter(names.WRITE_PROBES, "Writes by the probe.", ["result"], registry=registry)
        self._writes = {result: writes.labels(result) for result in ("acknowledged", "refused")}
        self._lost = Counter(names.WRITE_LOST, "Acknowledged writes that the database lost.", registry=registry)

    def stop(self) -> None:
        """Stop the thread and close its connections."""
        super().stop()
        self._pool.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with connect(self._url, APPLICATION, STATEMENT_MILLISECONDS) as connection:
                    self._check(connection)
                    while not self._stopped.wait(INTERVAL_SECONDS):
                        self.write(int(time.time() * 1000))
                        self._check(connection)
            except psycopg.Error:  # the database is down; the last acknowledged number is checked when it is back
                self._stopped.wait(INTERVAL_SECONDS)

    def write(self, number: int) -> bool:
        """Write `number` through the gateway; returns whether it was acknowledged."""
        headers = {names.HEADER_CLIENT_ID: APPLICATION, "Content-Type": "application/json"}
        body = json.dumps({"bio": f"{_PREFIX}{number}"}).encode()
        try:
            path = names.ROUTE_USER.format(user_id=ACCOUNT)
            acknowledged = self._pool.request("PUT", path, body=body, headers=headers).status == 200
        except urllib3.exceptions.HTTPError:
            acknowledged = False
        self._writes["acknowledged" if acknowledged else "refused"].inc()
        if acknowledged:
            self._acknowledged = number
        return acknowledged

    def _check(self, connection: psycopg.Connection) -> None:
        row = connection.execute(_BIO, [ACCOUNT]).fetchone()
        self.compare(row[0] if row else "")

    def compare(self, bio: str) -> None:
        """Compare the stored biography with the last acknowledged number, and count a loss once."""
        number = bio.removeprefix(_PREFIX)
        if self._acknowledged and number.isdigit() and int(number) < self._acknowledged:
            self._lost.inc()
            self._log.error("an acknowledged write is lost", acknowledged=self._acknowledged, found=int(number))
            self._acknowledged = int(number)
