"""Signals around work that must be finished or taken back: as an interrupt, or ignored."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def interruptible() -> Iterator[None]:
    """Take SIGTERM and SIGHUP as Ctrl-C, so that the push is taken back. Only in the main thread, as signals are."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with _handling((signal.SIGTERM, signal.SIGHUP), interrupt):
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore all three while the old version is put back."""
    with _handling((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), signal.SIG_IGN):
        yield


@contextmanager
def _handling(numbers: Sequence[signal.Signals], handler: Callable[..., None] | signal.Handlers) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
