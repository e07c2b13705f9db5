"""Is a write that was acknowledged still there? Writes a number through the gateway, again and again, and looks it up.

The numbers grow, so the DB must never hold less than the last one that was acknowledged: a crash may take what was
still under way, and nothing else.
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
PATIENCE_SECONDS = 3.0
STATEMENT_MILLISECONDS = 1000
APPLICATION = "write-probe"
# An account of the seed that the load generator does not write to.
ACCOUNT = 1234
_PREFIX = "Write probe "
_BIO = "SELECT bio FROM users WHERE id = %s"


class WriteProbe(Worker):
    """Writes in a thread, and compares with the DB itself after each write."""

    def __init__(self, gateway_url: str, database_url: str, registry: CollectorRegistry) -> None:
        super().__init__("write-probe", PATIENCE_SECONDS)
        self._pool = urllib3.connection_from_url(gateway_url, maxsize=1, retries=False, timeout=PATIENCE_SECONDS)
        self._url = database_url
        self._acknowledged = 0
        writes = Counter(names.WRITE_PROBES, "Writes of the probe.", ["result"], registry=registry)
        self._writes = {result: writes.labels(result) for result in ("acknowledged", "refused")}
        self._lost = Counter(names.WRITE_LOST, "Acknowledged writes that the DB did not have later.", registry=registry)

    def stop(self) -> None:
        """Stop, and close every connection."""
        super().stop()
        self._pool.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with connect(self._url, APPLICATION, STATEMENT_MILLISECONDS) as connection:
                    self._look(connection)
                    while not self._stopped.wait(INTERVAL_SECONDS):
                        self.write(int(time.time() * 1000))
                        self._look(connection)
            except psycopg.Error:  # the DB is away; what was acknowledged is looked up when it is back
                self._stopped.wait(INTERVAL_SECONDS)

    def write(self, number: int) -> bool:
        """Write `number` through the gateway; whether it was acknowledged."""
        headers = {names.HEADER_CLIENT_ID: APPLICATION, "Content-Type": "application/json"}
        body = json.dumps({"bio": f"{_PREFIX}{number}"}).encode()
        try:
            path = names.ROUTE_USER.format(user_id=ACCOUNT)
            good = self._pool.request("PUT", path, body=body, headers=headers).status == 200
        except urllib3.exceptions.HTTPError:
            good = False
        self._writes["acknowledged" if good else "refused"].inc()
        if good:
            self._acknowledged = number
        return good

    def _look(self, connection: psycopg.Connection) -> None:
        row = connection.execute(_BIO, [ACCOUNT]).fetchone()
        self.compare(row[0] if row else "")

    def compare(self, bio: str) -> None:
        """Compare what the DB holds with what was acknowledged."""
        number = bio.removeprefix(_PREFIX)
        if self._acknowledged and number.isdigit() and int(number) < self._acknowledged:
            self._lost.inc()
            self._log.error("an acknowledged write is lost", acknowledged=self._acknowledged, found=int(number))
            self._acknowledged = int(number)
