"""Lock files: one holder at a time among the processes of this machine; a lock ends with its process."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class LockHeld(Exception):
    """Another process holds the lock; the text is what it wrote into the file."""


@contextmanager
def held(file: Path, *, wait: bool = True) -> Iterator[IO[str]]:
    """Hold the lock on `file`, which is created if it is missing, and yield it open for reading and writing.

    Raises LockHeld when another process holds it and `wait` is False, and OSError when it cannot be opened.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+", encoding="utf-8", errors="replace") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            lock.seek(0)
            raise LockHeld(lock.read().strip()) from None
        yield lock
