"""Decides which clients go to the canary: a fixed share of clients, the same ones every time."""

from __future__ import annotations

import hashlib

_BUCKETS = 10_000


def position(client: str) -> float:
    """The position of `client` from 0 to 100, from a hash: the same in every process and at all times."""
    digest = hashlib.blake2b(client.encode("utf-8", "surrogateescape"), digest_size=8, person=b"canary").digest()
    return int.from_bytes(digest) % _BUCKETS / (_BUCKETS / 100)


def to_canary(client: str, weight_percent: float) -> bool:
    """True for weight_percent of all clients. A client that is included stays included at every higher weight."""
    return position(client) < weight_percent
