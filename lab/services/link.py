"""A line of a given length: a TCP proxy that adds a round-trip delay. `python -m lab.services.link`.

It stands between the application tier and the DB as the distance between two regions does: each query pays the way
there and back, so what needs a hundred queries pays it a hundred times. Bytes keep their order, half-closed
connections stay half open, and a client whose upstream cannot be reached is closed at once.

Given a certificate, it speaks TLS with its clients, as the proxies in front of a managed DB do; behind it the bytes
are plain. TLS knows no half-closed connection: the end of one direction is the end of both.
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

# Round trip between the application and a DB in the neighbouring region.
BASE_DELAY_SECONDS = 0.011
CONNECT_SECONDS = 3.0


class Line:
    """Carries bytes to the upstream after the round trip's delay, in order, with one timer for all of them.

    Who asks and waits for the answer cannot tell whether the way there or the way back was long, so all of it lies
    on the way there, and the way back costs this process no timer.
    """

    def __init__(self, base_delay_seconds: float) -> None:
        self.base_delay_seconds = base_delay_seconds
        self.extra_delay_seconds = 0.0
        self._loop = asyncio.get_running_loop()
        self._under_way: deque[tuple[float, _End, bytes | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def send(self, end: _End, data: bytes | None) -> None:
        """Delivers `data` (None: no more will come) to `end`."""
        due = self._loop.time() + self.base_delay_seconds + self.extra_delay_seconds
        if self._under_way:
            # A delay that was lowered must not let later bytes overtake.
            due = max(due, self._under_way[-1][0])
        self._under_way.append((due, end, data))
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._deliver)

    def _deliver(self) -> None:
        now = self._loop.time()
        while self._under_way and self._under_way[0][0] <= now:
            _, end, data = self._under_way.popleft()
            end.deliver(data)
        self._timer = self._loop.call_at(self._under_way[0][0], self._deliver) if self._under_way else None


class _End(asyncio.Protocol):
    """One end of a connection through the line; what it receives goes to `peer`."""

    peer: _End

    def __init__(self, sent: Counter) -> None:
        self._sent = sent
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes | None] = []
        self._wrote_all = False
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        for data in self._early:
            self.deliver(data)
        self._early.clear()

    def data_received(self, data: bytes) -> None:
        self._sent.inc(len(data))
        self._carry(data)

    def eof_received(self) -> bool:
        self._carry(None)
        # Stays open to be written to, unless that has ended before or TLS cannot.
        return not self._wrote_all and self._transport is not None and self._transport.can_write_eof()

    def connection_lost(self, problem: Exception | None) -> None:
        # A transport knows its protocol, and TLS keeps 256 KiB a connection there: what has ended is let go of, or it
        # would wait for the cycle collector.
        self._transport, self._lost = None, True
        if problem is not None:
            self.peer.abort()
        else:
            self._carry(None)

    def pause_writing(self) -> None:
        if self.peer._transport is not None:
            self.peer._transport.pause_reading()

    def resume_writing(self) -> None:
        if self.peer._transport is not None and not self.peer._transport.is_closing():
            self.peer._transport.resume_reading()

    def deliver(self, data: bytes | None) -> None:
        """Bytes that have come over the line, or None for their end."""
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
            self._wrote_all = True
            self._transport.write_eof()

    def _carry(self, data: bytes | None) -> None:
        """To the other end, at once: the way back."""
        self.peer.deliver(data)

    def is_lost(self) -> bool:
        """True when this end's connection is gone."""
        return self._transport is None or self._transport.is_closing()

    def abort(self) -> None:
        """Closes at once."""
        if self._transport is not None:
            self._transport.abort()


class Link:
    """Listens, and joins each client to the upstream through the line."""

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
        self.line = Line(base_delay_seconds)
        self._joining: set[asyncio.Task[None]] = set()
        self._clients: set[_Client] = set()
        sent = Counter(names.LINK_BYTES, "Bytes received to be carried.", ["direction"], registry=telemetry.registry)
        self.to_upstream, self.to_client = sent.labels("to_upstream"), sent.labels("to_client")
        self._refused = Counter(
            names.LINK_REFUSED, "Clients closed: the upstream was out of reach.", registry=telemetry.registry
        )
        connections = Gauge(names.LINK_CONNECTIONS, "Clients connected.", registry=telemetry.registry)
        connections.set_function(lambda: len(self._clients))
        delay = Gauge(names.LINK_DELAY, "Round-trip delay.", ["part"], registry=telemetry.registry)
        delay.labels("base").set_function(lambda: self.line.base_delay_seconds)
        delay.labels("extra").set_function(lambda: self.line.extra_delay_seconds)
        if certificate is not None:
            ends = Gauge(names.TLS_NOT_AFTER, "When the certificate that is shown ends.", registry=telemetry.registry)
            ends.set_function(lambda: certificate.not_after)

    def client(self) -> _Client:
        """The protocol of a new client."""
        return _Client(self)

    def joined(self, client: _Client) -> None:
        """A client has come: connects it to the upstream."""
        self._clients.add(client)
        task = asyncio.get_running_loop().create_task(self._join(client))
        self._joining.add(task)
        task.add_done_callback(self._joining.discard)

    def left(self, client: _Client) -> None:
        """A client has gone."""
        self._clients.discard(client)

    def close(self) -> None:
        """Ends every connection."""
        for client in list(self._clients):
            client.abort()
            client.peer.abort()

    async def _join(self, client: _Client) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await loop.create_connection(lambda: client.peer, self._upstream.host, self._upstream.port)
        except (OSError, TimeoutError) as problem:
            self._refused.inc()
            self._log.warning("upstream out of reach", upstream=str(self._upstream), reason=str(problem) or "timed out")
            client.abort()


class _Client(_End):
    def __init__(self, link: Link) -> None:
        super().__init__(link.to_upstream)
        self._link = link
        self.peer = _End(link.to_client)
        self.peer.peer = self

    def _carry(self, data: bytes | None) -> None:
        """To the other end over the line: the way there."""
        self._link.line.send(self.peer, data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._link.joined(self)

    def connection_lost(self, problem: Exception | None) -> None:
        self._link.left(self)
        super().connection_lost(problem)


def admin_app(telemetry: Telemetry, link: Link, upstream: Address) -> Flask:
    """GET /admin/state, PUT /admin/delay {"extra_delay_seconds": x}, and PUT /admin/certificate: read it anew."""
    app = telemetry.admin_app()

    @app.get("/admin/state")
    def state() -> ResponseReturnValue:
        return jsonify(
            upstream=str(upstream),
            base_delay_seconds=link.line.base_delay_seconds,
            extra_delay_seconds=link.line.extra_delay_seconds,
            certificate_not_after=None if link.certificate is None else link.certificate.not_after,
        )

    @app.put("/admin/certificate")
    def certificate() -> ResponseReturnValue:
        if link.certificate is None:
            raise UsageError("this line has no certificate")
        old = link.certificate.not_after
        return jsonify(old=old, new=link.certificate.reload())

    @app.put("/admin/delay")
    def delay() -> ResponseReturnValue:
        body = json_body()
        only_keys(body, "extra_delay_seconds")
        value = number_in(body, "extra_delay_seconds", 0, names.LINK_MAX_DELAY_SECONDS)
        old, link.line.extra_delay_seconds = link.line.extra_delay_seconds, value
        return jsonify(old={"extra_delay_seconds": old}, new={"extra_delay_seconds": value})

    return app


async def serve(
    telemetry: Telemetry,
    listen: Address,
    upstream: Address,
    base_delay_seconds: float,
    certificate: ServerCertificate | None = None,
) -> None:
    """Carries connections until SIGTERM; with a `certificate`, clients must speak TLS."""
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
