"""The helper of `cache-flush`: an unattended job that flushes the cache. program.py runs it.

It prints "ready" after its first flush, and ends after its last one or when standard input ends. It ignores a refused
flush and continues with the next one.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading

from valkey import Valkey
from valkey.exceptions import ValkeyError

from lab.drills.faults.helpers.options import FlushAllJob


def main(options: FlushAllJob) -> None:
    """Flush the cache as often as the options say; exits with a message when the first flush fails."""
    ended = threading.Event()

    def wait_for_eof() -> None:
        sys.stdin.read()
        ended.set()

    with Valkey.from_url(options.url, socket_timeout=5, client_name="nightly-cleanup") as cache:
        try:
            cache.flushall()
        except ValkeyError as error:
            sys.exit(f"the cache could not be flushed: {error}")
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        threading.Thread(target=wait_for_eof, daemon=True).start()
        for _ in range(options.times - 1) if options.times else itertools.repeat(None):
            if ended.wait(options.every_seconds):
                return
            with contextlib.suppress(ValkeyError):
                cache.flushall()
