"""The loop under the WSGI server: the operating system is told what each connection waits for when that changes.

waitress's own loop asks every open connection at every turn and tells all of it anew. With a thousand connections that
costs more than the requests do, and since a server that is slow has more of them, an overload kept itself alive.
"""

from __future__ import annotations

import select
import selectors
import time
from collections import deque
from typing import Any

from waitress import wasyncore

# Nothing is known to be missed in between; connections that are idle for too long are found here.
SWEEP_SECONDS = 1.0


class Loop:
    """`channels` is waitress's map of file numbers to connections, its listening socket and its alarm clock."""

    def __init__(self, channels: dict[int, Any]) -> None:
        self._channels = channels
        self._selector = selectors.DefaultSelector()
        self._changed: deque[Any] = deque()
        self._sweep_at = 0.0

    def changed(self, channel: Any) -> None:
        """From any thread: what a connection waits for may be another thing at the next turn."""
        self._changed.append(channel)

    def forget(self, number: int | None) -> None:
        """Before a connection is closed: the next one may get its file number. One closed before has none any more."""
        if number is not None and number in self._selector.get_map():
            self._selector.unregister(number)

    def run(self) -> None:
        """Turns until nothing is open."""
        while self._channels:
            self._turn()
        self._selector.close()

    def _turn(self) -> None:
        now = time.monotonic()
        if now >= self._sweep_at:
            self._changed.extend(self._channels.values())
            self._sweep_at = now + SWEEP_SECONDS
        while self._changed:
            self._tell(self._changed.popleft())
        for key, events in self._selector.select(SWEEP_SECONDS):
            channel: Any = self._channels.get(key.fd)
            if channel is not None:
                flags = select.POLLIN * bool(events & selectors.EVENT_READ)
                wasyncore.readwrite(channel, flags | select.POLLOUT * bool(events & selectors.EVENT_WRITE))
                self._changed.append(channel)

    def _tell(self, channel: Any) -> None:
        number = channel._fileno
        if number not in self._channels or self._channels[number] is not channel:
            return
        wants = selectors.EVENT_READ * bool(channel.readable())
        if not channel.accepting:
            wants |= selectors.EVENT_WRITE * bool(channel.writable())
        told = self._selector.get_map().get(number)
        if told is None:
            if wants:
                self._selector.register(number, wants)
        elif not wants:
            self._selector.unregister(number)
        elif wants != told.events:
            self._selector.modify(number, wants)
