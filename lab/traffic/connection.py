"""A minimal keep-alive HTTP/1.1 client connection, which parses only the status and the length of a response."""

from __future__ import annotations

import asyncio
import re
from typing import cast

_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:\s*close", re.IGNORECASE)


class Broken(Exception):
    """The connection was closed, or sent something that is not HTTP, before the response was complete."""


class Connection(asyncio.Protocol):
    """Sends requests and returns their status, one at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._response: asyncio.Future[int] | None = None
        self._received = bytearray()

    @property
    def usable(self) -> bool:
        """Whether another request can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, data: bytes) -> asyncio.Future[int]:
        """Sends a request. The future gives the status of the response, or raises Broken."""
        if self._transport is None or not self.usable:
            raise Broken("not connected")
        self._response = asyncio.get_running_loop().create_future()
        self._received.clear()
        self._transport.write(data)
        return self._response

    def close(self) -> None:
        """Closes the connection immediately."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio when connected."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, problem: Exception | None) -> None:
        """Called by asyncio when the connection is closed."""
        self._fail(f"connection lost: {problem}")

    def data_received(self, data: bytes) -> None:
        """Called by asyncio with a part of a response."""
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(self._received[:head_end])
        length = _LENGTH.search(head)
        if length is None or head[:7] != b"HTTP/1." or not head[9:12].isdigit():
            self.close()
            self._fail("not an HTTP response with a Content-Length")
            return
        if len(self._received) < head_end + 4 + int(length[1]):
            return
        if _CLOSE.search(head) and self._transport is not None:
            self._transport.close()
        response, self._response = self._response, None
        if response is not None and not response.done():
            response.set_result(int(head[9:12]))

    def _fail(self, reason: str) -> None:
        response, self._response = self._response, None
        if response is not None and not response.done():
            response.set_exception(Broken(reason))
