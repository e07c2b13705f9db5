"""The script behind `cache-flush`. It is run by helper.py.

It says "ready" after its first flush, and ends when it has flushed as often as it was told (0: never) or when
its input ends. What the cache refuses it tries again with its next step, as an unattended job does.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
from typing import Any

from valkey import Valkey
from valkey.exceptions import ValkeyError


def main(told: dict[str, Any]) -> None:
    """Flush the instance at `url`, `times` times, one every `every_seconds`."""
    over = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        over.set()

    with Valkey.from_url(told["url"], socket_timeout=5, client_name="nightly-cleanup") as cache:
        try:
            cache.flushall()
        except ValkeyError as error:
            sys.exit(f"the cache could not be flushed: {error}")
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        threading.Thread(target=watch, daemon=True).start()
        for _ in range(told["times"] - 1) if told["times"] else itertools.repeat(None):
            if over.wait(told["every_seconds"]):
                return
            with contextlib.suppress(ValkeyError):
                cache.flushall()
