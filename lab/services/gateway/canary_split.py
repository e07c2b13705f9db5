"""Decides which clients go to the canary: a fixed share of clients, the same ones until the salt changes."""

from __future__ import annotations

import hashlib

_BUCKETS = 10_000


def position(client: str, salt: str = "") -> float:
    """The position of `client` from 0 to 100, from a hash: the same in every process as long as `salt` is.

    A rollout has a salt of its own, so that the same clients are not the first to get every new version.
    """
    key = salt.encode("utf-8", "surrogateescape")[: hashlib.blake2b.MAX_KEY_SIZE]
    text = client.encode("utf-8", "surrogateescape")
    digest = hashlib.blake2b(text, digest_size=8, key=key, person=b"canary").digest()
    return int.from_bytes(digest) % _BUCKETS / (_BUCKETS / 100)


def to_canary(client: str, weight_percent: float, salt: str = "") -> bool:
    """True for weight_percent of all clients. A client that is included stays included at every higher weight."""
    return position(client, salt) < weight_percent
