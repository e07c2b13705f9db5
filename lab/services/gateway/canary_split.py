"""Who goes to the canary: the same clients every time, as many as the weight says, whatever the rate."""

from __future__ import annotations

import hashlib

_PLACES = 10_000


def place(client: str) -> float:
    """Where `client` stands from 0 to 100, the same in every process and on every day."""
    digest = hashlib.blake2b(client.encode("utf-8", "surrogateescape"), digest_size=8, person=b"canary").digest()
    return int.from_bytes(digest) % _PLACES / (_PLACES / 100)


def to_canary(client: str, weight_percent: float) -> bool:
    """True for weight_percent of all clients; who goes at some weight goes at every higher one."""
    return place(client) < weight_percent
