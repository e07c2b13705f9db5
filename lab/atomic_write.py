"""Files that a crash leaves whole: the old one or the new one, never half of one."""

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
    """Put a text where `path` leads. Raises OSError, and then what was there is as it was.

    A regular file, also behind a symlink, is replaced in one step, and keeps its mode and, where that is permitted, its
    owner; it is on disk, with its name, when this returns. A new one gets `mode` less the umask. A device, a pipe or an
    open descriptor such as /dev/stdout is written into: those are never replaced.
    """
    data = text.encode()
    try:
        there = path.stat()
    except FileNotFoundError:
        there = None
    # A socket cannot be opened by its name, and a file that a shell redirects into must stay the one that it has open.
    own = next((descriptor for descriptor in (1, 2) if there and _is(descriptor, there)), None)
    if there and (own is not None or not stat.S_ISREG(there.st_mode)):
        sys.stdout.flush()
        with os.fdopen(os.open(path, os.O_WRONLY) if own is None else os.dup(own), "wb") as file:
            file.write(data)
        return
    if there and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{secrets.token_hex(8)}.part")  # of no length that depends on the name's
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if there:
                for owner in ((there.st_uid, -1), (-1, there.st_gid)):
                    with contextlib.suppress(PermissionError):
                        os.fchown(descriptor, *owner)
                os.fchmod(descriptor, stat.S_IMODE(there.st_mode))
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
    """Replace `path` by `document` as JSON, as `write_text` does. Raises OSError."""
    write_text(path, json.dumps(document, indent=indent) + "\n")


def _is(descriptor: int, there: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), there)
    except OSError:
        return False
