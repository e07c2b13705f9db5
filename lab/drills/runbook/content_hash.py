"""How records name content: by its hash, and so that the way of hashing is told with it."""

from __future__ import annotations

import hashlib


def content_hash(content: bytes) -> str:
    """`sha256:…` in hexadecimal."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
