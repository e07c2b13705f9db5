"""A delay proxy: a TCP proxy that adds a round-trip delay. `python -m lab.services.link`.

It models the network latency between the application tier and a database in another region: each query pays the round
trip, so a request with a hundred queries pays it a hundred times. Bytes keep their order, half-closed connections stay
half-open, and a client whose upstream cannot be reached is closed immediately.

With a certificate it speaks TLS to its clients, like the proxies in front of managed databases, and plain TCP to its
upstream. TLS has no half-closed connections: the end of one direction ends both.
"""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from pathlib import Path
from typing import cast

from flask import Flask, jsonify
from flask.typing import ResponseReturnValue

from lab import names
from lab.errors import LabError, UsageError
from lab.services.tls import ServerCertificate
from lab.telemetry.body import json_body, number_in, only_keys
from lab.telemetry.metrics import Counter, Gauge
from lab.telemetry.process import Telemetry, program, serve_admin
from lab.telemetry.settings import Address, Environment, Settings

# Round-trip time between the application and a database in a neighbouring region.
BASE_DELAY_SECONDS = 0.011
CONNECT_SECONDS = 3.0


class DelayQueue:
    """Delivers bytes to the upstream after the round-trip delay, in order, with one timer for all connections.

    The whole delay is added to the request direction: a client that waits for its response cannot tell the difference,
    and the response direction needs no timer.
    """

    def __init__(self, base_delay_seconds: float) -> None:
        self.base_delay_seconds = base_delay_seconds
        self.extra_delay_seconds = 0.0
        self._loop = asyncio.get_running_loop()
        self._queued: deque[tuple[float, _End, bytes | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def send(self, end: _End, data: bytes | None) -> None:
        """Delivers `data` (None for end of stream) to `end` after the delay."""
        due = self._loop.time() + self.base_delay_seconds + self.extra_delay_seconds
        if self._queued:
            # After the delay is lowered, later bytes must not overtake earlier ones.
            due = max(due, self._queued[-1][0])
        self._queued.append((due, end, data))
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._deliver)

    def _deliver(self) -> None:
        now = self._loop.time()
        while self._queued and self._queued[0][0] <= now:
            _, end, data = self._queued.popleft()
            end.deliver(data)
        self._timer = self._loop.call_at(self._queued[0][0], self._deliver) if self._queued else None


class _End(asyncio.Protocol):
    """One end of a proxied connection; the data it receives is forwarded to `peer`."""

    peer: _End

    def __init__(self, sent: Counter) -> None:
        self._sent = sent
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes | None] = []  # to deliver once connected
        self._wrote_eof = False
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        for data in self._early:
            self.deliver(data)
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        self._sent.inc(len(data))
        self._forward(data)

    def eof_received(self) -> bool:
        self._forward(None)
        # Stays open for writing, unless that direction has ended too or TLS does not support half-closing.
        return not self._wrote_eof and self._transport is not None and self._transport.can_write_eof()

    def connection_lost(self, problem: Exception | None) -> None:
        # The transport refers to this protocol, and TLS holds 256 KiB per connection there. Dropping the reference
        # frees it now instead of at the next run of the cycle collector.
        self._transport, self._lost = None, True
        if problem is not None:
            self.peer.abort()
        else:
            self._forward(None)

    def pause_writing(self) -> None:
        if self.peer._transport is not None:
            self.peer._transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer._transport is not None and not self.peer._transport.is_closing():
            self.peer._transport.resume_reading()

    def deliver(self, data: bytes | None) -> None:
        """Writes bytes from the peer, or ends the stream for None."""
        if self._lost:
            return
        if self._transport is None:
            self._early.append(data)
        elif self._transport.is_closing():
            return
        elif data is not None:
            self._transport.write(data)
        elif self.peer.is_lost() or not self._transport.can_write_eof():
            self._transport.close()
        else:
            self._wrote_eof = True
            self._transport.write_eof()

    def _forward(self, data: bytes | None) -> None:
        """Forwards to the peer immediately: the response direction."""
        self.peer.deliver(data)

    def is_lost(self) -> bool:
        """Whether this end's connection is closed or closing."""
        return self._transport is None or self._transport.is_closing()

    def abort(self) -> None:
        """Closes the connection immediately."""
        if self._transport is not None:
            self._transport.abort()


class Link:
    """The delay proxy: connects each client to the upstream."""

    def __init__(
        self,
        telemetry: Telemetry,
        upstream: Address,
        base_delay_seconds: float,
        certificate: ServerCertificate | None = None,
    ) -> None:
        self._upstream = upstream
        self.certificate = certificate
        self._log = telemetry.log
        self.delay = DelayQueue(base_delay_seconds)
        self._connecting: set[asyncio.Task[None]] = set()
        self._clients: set[_Client] = set()
        sent = Counter(names.LINK_BYTES, "Bytes received for forwarding.", ["direction"], registry=telemetry.registry)
        self.to_upstream, self.to_client = sent.labels("to_upstream"), sent.labels("to_client")
        self._refused = Counter(
            names.LINK_REFUSED, "Clients closed because the upstream is unreachable.", registry=telemetry.registry
        )
        connections = Gauge(names.LINK_CONNECTIONS, "Connected clients.", registry=telemetry.registry)
        connections.set_function(lambda: len(self._clients))
        delay = Gauge(names.LINK_DELAY, "Round-trip delay.", ["part"], registry=telemetry.registry)
        delay.labels("base").set_function(lambda: self.delay.base_delay_seconds)
        delay.labels("extra").set_function(lambda: self.delay.extra_delay_seconds)
        if certificate is not None:
            expiry = Gauge(
                names.TLS_NOT_AFTER, "Expiry of the certificate that the server presents.", registry=telemetry.registry
            )
            expiry.set_function(lambda: certificate.not_after)

    def client(self) -> _Client:
        """A protocol for a new client connection."""
        return _Client(self)

    def connected(self, client: _Client) -> None:
        """Called when a client has connected: connects it to the upstream."""
        self._clients.add(client)
        task = asyncio.get_running_loop().create_task(self._connect(client))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def disconnected(self, client: _Client) -> None:
        """Called when a client has disconnected."""
        self._clients.discard(client)

    def close(self) -> None:
        """Closes every connection."""
        for client in list(self._clients):
            client.abort()
            client.peer.abort()

    async def _connect(self, client: _Client) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await loop.create_connection(lambda: client.peer, self._upstream.host, self._upstream.port)
        except (OSError, TimeoutError) as problem:
            self._refused.inc()
            self._log.warning("upstream unreachable", upstream=str(self._upstream), reason=str(problem) or "timed out")
            client.abort()


class _Client(_End):
    def __init__(self, link: Link) -> None:
        super().__init__(link.to_upstream)
        self._link = link
        self.peer = _End(link.to_client)
        self.peer.peer = self

    def _forward(self, data: bytes | None) -> None:
        """Forwards to the upstream after the delay: the request direction."""
        self._link.delay.send(self.peer, data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._link.connected(self)

    def connection_lost(self, problem: Exception | None) -> None:
        self._link.disconnected(self)
        super().connection_lost(problem)


def admin_app(telemetry: Telemetry, link: Link, upstream: Address) -> Flask:
    """GET /admin/state, PUT /admin/delay {"extra_delay_seconds": x}, and PUT /admin/certificate, which reloads it."""
    app = telemetry.admin_app()

    @app.get("/admin/state")
    def state() -> ResponseReturnValue:
        return jsonify(
            upstream=str(upstream),
            base_delay_seconds=link.delay.base_delay_seconds,
            extra_delay_seconds=link.delay.extra_delay_seconds,
            certificate_not_after=None if link.certificate is None else link.certificate.not_after,
        )

    @app.put("/admin/certificate")
    def certificate() -> ResponseReturnValue:
        if link.certificate is None:
            raise UsageError("this link has no certificate")
        old = link.certificate.not_after
        return jsonify(old=old, new=link.certificate.reload())

    @app.put("/admin/delay")
    def delay() -> ResponseReturnValue:
        body = json_body()
        only_keys(body, "extra_delay_seconds")
        value = number_in(body, "extra_delay_seconds", 0, names.LINK_MAX_DELAY_SECONDS)
        old, link.delay.extra_delay_seconds = link.delay.extra_delay_seconds, value
        return jsonify(old={"extra_delay_seconds": old}, new={"extra_delay_seconds": value})

    return app


async def serve(
    telemetry: Telemetry,
    listen: Address,
    upstream: Address,
    base_delay_seconds: float,
    certificate: ServerCertificate | None = None,
) -> None:
    """Proxies connections until SIGTERM; with a `certificate`, clients must use TLS. Raises LabError."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    link = Link(telemetry, upstream, base_delay_seconds, certificate)
    tls = None if certificate is None else certificate.context
    try:
        server = await loop.create_server(link.client, listen.host, listen.port, backlog=256, ssl=tls)
    except OSError as problem:
        raise LabError(
            f"cannot listen on {listen}: {problem.strerror or problem}; free the port or choose another"
        ) from None
    serve_admin(telemetry, admin_app(telemetry, link, upstream))
    telemetry.log.info("listening", address=str(listen), upstream=str(upstream))
    await stopped.wait()
    telemetry.health.draining.set()
    server.close()
    link.close()
    telemetry.log.info("stopped")


def main() -> None:
    """Reads the environment and serves until SIGTERM."""
    env = Environment()
    settings = Settings.read("link", environment=env)
    upstream = env.peer(names.ENV_LINK_UPSTREAM, example="127.0.0.1:8094")
    delay_seconds = env.number(names.ENV_LINK_DELAY, BASE_DELAY_SECONDS, 0, names.LINK_MAX_DELAY_SECONDS)
    if settings.listen is None:
        raise LabError(f"{names.ENV_LISTEN} is not set")
    certificate_file = env.text(names.ENV_TLS_CERTIFICATE, "")
    certificate = ServerCertificate(Path(certificate_file)) if certificate_file else None
    asyncio.run(serve(Telemetry(settings), settings.listen, upstream, delay_seconds, certificate))


if __name__ == "__main__":
    program(main)
