"""Malformed HTTP requests are answered 4xx with one line of JSON, and leave no traceback in the log."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from flask import Flask, request
from support import eventually, free_port

from lab.paths import LOOPBACK
from lab.telemetry.process import Telemetry, serve_admin
from lab.telemetry.server import Server
from lab.telemetry.settings import Address, Settings
from lab.telemetry.web import new_app

HOST = b"Host: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    app: Flask = new_app("wire")

    @app.route("/", methods=["GET", "PUT"])
    @app.route("/<path:path>", methods=["GET", "PUT"])
    def anything(path: str = "") -> dict[str, int]:
        return {"length": len(request.get_data()) + len(path)}

    number = free_port()
    server = Server(app, Address(LOOPBACK, number), threads=2)
    server.run_in_thread("wire")
    yield number
    server.drain(1)


@pytest.mark.parametrize(
    "sent",
    [
        b"PUT / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n",
        b"PUT / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
        b"PUT / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"PUT / HTTP/1.1\r\n" + HOST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"PUT / HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999\r\n\r\n",
        b"PUT / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
        b"PUT / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X-A: a\0b\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X-A: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X-A: " + b"x" * 262_144,
        b"GET http://[::1/ HTTP/1.1\r\n" + HOST + b"\r\n",
        b"get / HTTP/1.1\r\n" + HOST + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ],
)
def test_a_malformed_request_is_answered_4xx_with_one_line_of_json(
    port: int, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), closing(socket.create_connection((LOOPBACK, port), timeout=20)) as client:
        client.sendall(sent)
        received = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    assert 400 <= int(head.split()[1]) < 500, received
    assert "\n" not in json.loads(body)["error"]
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]


def test_a_process_whose_admin_server_fails_terminates(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the process has neither metrics nor controls; the supervisor restarts it."""
    signals: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: signals.append((pid, number)))
    telemetry = Telemetry(replace(settings, admin_listen=Address(LOOPBACK, free_port())))
    server = serve_admin(telemetry, telemetry.admin_app())

    def broken() -> None:
        raise OSError("no such descriptor")

    server._in_loop(broken)
    monkeypatch.setattr(server._loop, "_turn", broken)
    eventually(lambda: signals == [(os.getpid(), signal.SIGTERM)], "the process sends itself SIGTERM")
