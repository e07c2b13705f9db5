"""The script behind `cache-flush` with `every_seconds`: `python -m lab.drills.faults.flusher`, told by child.py.

It flushes the instance it is given until its input ends; a cache that does not answer is tried again the next time.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading

from valkey import Valkey
from valkey.exceptions import ValkeyError


def main() -> None:
    """Read which instance and how often, and flush it."""
    told = json.loads(sys.stdin.readline())
    over = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=watch, daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    with Valkey.from_url(told["url"], socket_timeout=5) as cache:
        while not over.wait(told["every_seconds"]):
            with contextlib.suppress(ValkeyError):
                cache.flushall()


if __name__ == "__main__":
    main()
