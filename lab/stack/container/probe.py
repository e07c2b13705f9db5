"""Container health check: exit status 0 when the program in the container is ready.

Runs every few seconds in every container, so it imports only a few modules of the standard library.
"""

from __future__ import annotations

import http.client
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 3.0


def status(url: str) -> int:
    """The HTTP status of GET `url`. Raises OSError or HTTPException when there is no answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    connection.request("GET", parts.path)
    return connection.getresponse().status


def main() -> int:
    """Check the readiness URL that the container wrote at its start; returns the exit status."""
    try:
        http_status = status((Path(tempfile.gettempdir()) / "ready").read_text(encoding="utf-8"))
    except (OSError, http.client.HTTPException) as error:
        sys.stdout.write(f"no answer: {error}\n")
        return 1
    sys.stdout.write(f"status {http_status}\n")
    return 0 if http_status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
