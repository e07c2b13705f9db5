"""Is each feed in the cache its viewer's own? What is not is taken out, and made anew when its viewer comes."""

from __future__ import annotations

import json
from typing import Any

import valkey
from valkey.exceptions import ValkeyError

from lab.control.lab_clients import LabClients
from lab.errors import NotRunning
from lab.services.fanout import feed_key
from lab.stack.backends import valkey as cache

SCAN = 500


def foreign(clients: LabClients) -> tuple[int, list[str]]:
    """(pages looked at, keys of those that say they are another viewer's). Raises NotRunning."""
    try:
        return _foreign(_client(clients))
    except ValkeyError as problem:
        raise _down(problem) from None


def reconcile(clients: LabClients, reason: str = "") -> tuple[int, int]:
    """Take every page out that is not its viewer's own; (pages looked at, pages taken out)."""
    client = _client(clients)
    try:
        looked_at, keys = _foreign(client)
        with clients.trail.action("feed reconcile", "cache", reason=reason) as change:
            change.old = {"pages": looked_at, "wrong": len(keys)}
            for start in range(0, len(keys), SCAN):
                client.unlink(*keys[start : start + SCAN])
            change.new = {"pages": looked_at - len(keys), "wrong": 0}
    except ValkeyError as problem:
        raise _down(problem) from None
    return looked_at, len(keys)


def _foreign(client: valkey.Valkey) -> tuple[int, list[str]]:
    looked_at, wrong = 0, []
    keys = sorted({key.decode() for key in client.scan_iter(match=feed_key(0)[:-1] + "*", count=SCAN)})
    for start in range(0, len(keys), SCAN):
        batch = keys[start : start + SCAN]
        pages: Any = client.mget(batch)
        for key, page in zip(batch, pages, strict=True):
            if page is not None:
                looked_at += 1
                if _owner(page) != key.rpartition(":")[2]:
                    wrong.append(key)
    return looked_at, wrong


def _owner(page: bytes) -> str:
    try:
        return str(json.loads(page)["user_id"])
    except (ValueError, KeyError, TypeError):
        return ""


def _client(clients: LabClients) -> valkey.Valkey:
    return valkey.Valkey.from_url(cache.url(clients.ports.valkey), socket_timeout=5, socket_connect_timeout=2)


def _down(problem: ValkeyError) -> NotRunning:
    return NotRunning(f"the cache does not answer: {problem}; see `fleetops status`")
