"""The delay proxy frees a closed TLS connection immediately, without the cycle collector."""

from __future__ import annotations

import asyncio
import gc
import ssl
import time
from asyncio import sslproto
from pathlib import Path

from services_support import MakeTelemetry

from lab.paths import LOOPBACK, Home
from lab.services.link import Link
from lab.services.tls import ALPN, ServerCertificate
from lab.stack.backends import certificates
from lab.telemetry.settings import Address

CONNECTIONS = 20


def test_a_closed_connection_is_freed_immediately(make_telemetry: MakeTelemetry, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    certificates.ensure(home, "link-db", time.time())
    client = ssl.create_default_context(cafile=home.authority)
    client.set_alpn_protocols([ALPN])

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(4))
        await reader.read()
        writer.close()

    async def ping(port: int) -> None:
        reader, writer = await asyncio.open_connection(LOOPBACK, port, ssl=client)
        writer.write(b"ping")
        assert await reader.readexactly(4) == b"ping"
        writer.close()
        await writer.wait_closed()

    async def run() -> int:
        upstream = await asyncio.start_server(echo, LOOPBACK, 0)
        certificate = ServerCertificate(home.certificate("link-db"))
        link = Link(make_telemetry("link"), Address(LOOPBACK, upstream.sockets[0].getsockname()[1]), 0.001, certificate)
        server = await asyncio.get_running_loop().create_server(link.client, LOOPBACK, 0, ssl=certificate.context)
        gc.collect()
        gc.disable()
        try:
            for _ in range(CONNECTIONS):
                await ping(server.sockets[0].getsockname()[1])
            deadline = time.monotonic() + 10
            while (left := _server_sides()) and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
            return left
        finally:
            gc.enable()
            server.close()
            upstream.close()

    assert asyncio.run(run()) == 0


def _server_sides() -> int:
    """How many server-side TLS connections are still in memory, open or not."""
    return sum(isinstance(value, sslproto.SSLProtocol) and value._server_side for value in gc.get_objects())
