"""Content hashes, which identify the inputs of records. The prefix names the algorithm."""

from __future__ import annotations

import hashlib


def content_hash(content: bytes) -> str:
    """The SHA-256 of `content`, as `sha256:` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
