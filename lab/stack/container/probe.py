"""The container's health check: exit 0 when the program in it says that it is ready.

Runs every few seconds in every container, so it needs the standard library alone and imports little of it.
"""

from __future__ import annotations

import http.client
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 3.0


def status(url: str) -> int:
    """The status with which `url` answers. Raises OSError or HTTPException when it does not."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    connection.request("GET", parts.path)
    return connection.getresponse().status


def main() -> int:
    """Ask the address that the container wrote down when it started."""
    try:
        answered = status((Path(tempfile.gettempdir()) / "ready").read_text(encoding="utf-8"))
    except (OSError, http.client.HTTPException) as problem:
        sys.stdout.write(f"no answer: {problem}\n")
        return 1
    sys.stdout.write(f"status {answered}\n")
    return 0 if answered == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
