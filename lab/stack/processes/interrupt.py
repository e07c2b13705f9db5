"""Handling of SIGINT, SIGTERM and SIGHUP while the lab starts and stops."""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupt:
    """Records that a signal has arrived, and aborts the guarded block.

    Inside `with interrupt:`, the first signal raises KeyboardInterrupt, once, so that no blocking call delays it. An
    exception raised by a signal handler can be lost (in a destructor or a callback), so every wait also calls `check`.
    Later signals, and those outside the block, raise nothing, so that they cannot interrupt the clean-up.
    """

    def __init__(self) -> None:
        self._received = False
        self._armed = False

    def install(self) -> None:
        """Install the signal handlers."""
        for number in SIGNALS:
            signal.signal(number, self._handle)

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal has arrived."""
        if self._received:
            self._armed = False
            raise KeyboardInterrupt

    def __enter__(self) -> None:
        self.check()
        self._armed = True
        self.check()

    def __exit__(self, *_: object) -> None:
        self._armed = False

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        again, self._received = self._received, True
        if self._armed:
            self._armed = False
            raise KeyboardInterrupt
        if again:
            with contextlib.suppress(OSError):
                os.write(2, b"still stopping\n")
