"""One keep-alive HTTP/1.1 connection of the generator: as little as an answer's status needs."""

from __future__ import annotations

import asyncio
import re
from typing import cast

_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:\s*close", re.IGNORECASE)


class Broken(Exception):
    """The connection ended, or said something else than HTTP, before the answer was whole."""


class Connection(asyncio.Protocol):
    """Sends a request and gives its status; one at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[int] | None = None
        self._received = bytearray()

    @property
    def usable(self) -> bool:
        """True while another request may be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, data: bytes) -> asyncio.Future[int]:
        """The status of the answer, or Broken."""
        if self._transport is None or not self.usable:
            raise Broken("not connected")
        self._answer = asyncio.get_running_loop().create_future()
        self._received.clear()
        self._transport.write(data)
        return self._answer

    def close(self) -> None:
        """Ends the connection."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: connected."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, problem: Exception | None) -> None:
        """Asyncio: ended."""
        self._fail(f"connection lost: {problem}")

    def data_received(self, data: bytes) -> None:
        """Asyncio: part of an answer."""
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(self._received[:head_end])
        length = _LENGTH.search(head)
        if length is None or head[:7] != b"HTTP/1." or not head[9:12].isdigit():
            self.close()
            self._fail("not an answer with a length")
            return
        if len(self._received) < head_end + 4 + int(length[1]):
            return
        if _CLOSE.search(head) and self._transport is not None:
            self._transport.close()
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(int(head[9:12]))

    def _fail(self, reason: str) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(Broken(reason))
