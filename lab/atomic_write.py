"""Atomic file writes: after a crash a file has its old content or its new content, never a mix or a part."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import stat
import sys
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write `text` to `path` atomically. Raises OSError; the old content is then unchanged.

    A regular file, also behind a symlink, is replaced in one step. It keeps its mode and, where permitted, its owner,
    and is synced to disk, directory entry included, when this returns. A new file gets `mode` less the umask. A device,
    a pipe or an open descriptor such as /dev/stdout is written to and never replaced; nor is a file with several hard
    links, which is overwritten, so that all of its names keep naming one file. That is not atomic.
    """
    data = text.encode()
    try:
        current = path.stat()
    except FileNotFoundError:
        current = None
    # A socket cannot be opened by its name, and a file that a shell redirects into must stay the one that it has open.
    standard = next((descriptor for descriptor in (1, 2) if current and _is_open_as(descriptor, current)), None)
    if current and (standard is not None or not stat.S_ISREG(current.st_mode)):
        sys.stdout.flush()
        with os.fdopen(os.open(path, os.O_WRONLY) if standard is None else os.dup(standard), "wb") as file:
            file.write(data)
        return
    if current and current.st_nlink > 1:
        with path.open("r+b") as file:
            file.write(data)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        return
    if current and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{secrets.token_hex(8)}.part")  # of fixed length, so that a long file name still fits
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if current:
                for owner in ((current.st_uid, -1), (-1, current.st_gid)):
                    with contextlib.suppress(PermissionError):
                        os.fchown(descriptor, *owner)
                os.fchmod(descriptor, stat.S_IMODE(current.st_mode))
            os.fsync(descriptor)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def write_json(path: Path, document: dict[str, Any], *, indent: int | None = 1) -> None:
    """Write `document` to `path` as JSON, with the guarantees of `write_text`. Raises OSError."""
    write_text(path, json.dumps(document, indent=indent) + "\n")


def _is_open_as(descriptor: int, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file)
    except OSError:
        return False
