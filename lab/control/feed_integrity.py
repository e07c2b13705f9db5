"""Find and delete cached feeds of the wrong viewer. A deleted feed is rebuilt at its viewer's next request."""

from __future__ import annotations

from typing import Any

import valkey
from valkey.exceptions import ValkeyError

from lab.control.lab_clients import LabClients
from lab.errors import NotRunning
from lab.services.fanout import feed_key
from lab.stack.backends import valkey as cache
from lab.telemetry import json_text

BATCH = 500


def foreign(clients: LabClients) -> tuple[int, list[str]]:
    """(number of cached feeds checked, keys of those that belong to another viewer). Raises NotRunning."""
    try:
        return _foreign(_client(clients))
    except ValkeyError as error:
        raise _not_running(error) from None


def reconcile(clients: LabClients, reason: str = "") -> tuple[int, int]:
    """Delete every cached feed that belongs to another viewer; (number checked, number deleted). Raises NotRunning."""
    client = _client(clients)
    try:
        checked, keys = _foreign(client)
        with clients.trail.action("feed reconcile", "cache", reason=reason) as change:
            change.old = {"pages": checked, "wrong": len(keys)}
            for start in range(0, len(keys), BATCH):
                client.unlink(*keys[start : start + BATCH])
            change.new = {"pages": checked - len(keys), "wrong": 0}
    except ValkeyError as error:
        raise _not_running(error) from None
    return checked, len(keys)


def _foreign(client: valkey.Valkey) -> tuple[int, list[str]]:
    checked, wrong = 0, []
    keys = sorted({key.decode() for key in client.scan_iter(match=feed_key(0)[:-1] + "*", count=BATCH)})
    for start in range(0, len(keys), BATCH):
        batch = keys[start : start + BATCH]
        feeds: Any = client.mget(batch)
        for key, feed in zip(batch, feeds, strict=True):
            if feed is not None:
                checked += 1
                if _owner(feed) != key.rpartition(":")[2]:
                    wrong.append(key)
    return checked, wrong


def _owner(feed: bytes) -> str:
    try:
        return str(json_text.parse(feed)["user_id"])
    except (ValueError, KeyError, TypeError):
        return ""


def _client(clients: LabClients) -> valkey.Valkey:
    return valkey.Valkey.from_url(cache.url(clients.ports.valkey), socket_timeout=5, socket_connect_timeout=2)


def _not_running(error: ValkeyError) -> NotRunning:
    return NotRunning(f"the cache does not answer: {error}; see `fleetops status`")
