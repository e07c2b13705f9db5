"""The event loop of the WSGI server, on selectors: interest in a connection is registered only when it changes.

waitress's own loop checks and registers every open connection on every iteration. With a thousand connections that
costs more than the requests, and because a slow server has more open connections, an overload sustained itself.
"""

from __future__ import annotations

import select
import selectors
import time
from collections import deque
from typing import Any

from waitress import wasyncore

# How often all connections are checked, to close idle ones and as a safety net for a missed change.
SWEEP_SECONDS = 1.0


class Loop:
    """Serves `channels`, waitress's map of file descriptors to connections, its listening socket and its trigger."""

    def __init__(self, channels: dict[int, Any]) -> None:
        self._channels = channels
        self._selector = selectors.DefaultSelector()
        self._changed: deque[Any] = deque()
        self._sweep_at = 0.0

    def changed(self, channel: Any) -> None:
        """Marks a connection whose readiness to read or write may have changed. Thread-safe."""
        self._changed.append(channel)

    def forget(self, number: int | None) -> None:
        """Unregisters a connection that is about to close, because the next one may get its file descriptor.

        `number` is None for a connection that is already closed.
        """
        if number is not None and number in self._selector.get_map():
            self._selector.unregister(number)

    def run(self) -> None:
        """Runs until no socket is open."""
        while self._channels:
            self._turn()
        self._selector.close()

    def _turn(self) -> None:
        now = time.monotonic()
        if now >= self._sweep_at:
            self._changed.extend(self._channels.values())
            self._sweep_at = now + SWEEP_SECONDS
        while self._changed:
            self._update(self._changed.popleft())
        for key, events in self._selector.select(SWEEP_SECONDS):
            channel: Any = self._channels.get(key.fd)
            if channel is not None:
                flags = select.POLLIN * bool(events & selectors.EVENT_READ)
                wasyncore.readwrite(channel, flags | select.POLLOUT * bool(events & selectors.EVENT_WRITE))
                self._changed.append(channel)

    def _update(self, channel: Any) -> None:
        """Registers the events that a connection waits for now."""
        number = channel._fileno
        if number not in self._channels or self._channels[number] is not channel:
            return
        wants = selectors.EVENT_READ * bool(channel.readable())
        if not channel.accepting:
            wants |= selectors.EVENT_WRITE * bool(channel.writable())
        registered = self._selector.get_map().get(number)
        if registered is None:
            if wants:
                self._selector.register(number, wants)
        elif not wants:
            self._selector.unregister(number)
        elif wants != registered.events:
            self._selector.modify(number, wants)
