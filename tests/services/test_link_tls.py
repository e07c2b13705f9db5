"""The delay proxy with a certificate: TLS to clients, plain TCP to the upstream, and certificate reload."""

from __future__ import annotations

import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from services_support import Process
from test_link_proxy import DELAY_SECONDS, Echo, receive

from lab import names
from lab.paths import Home
from lab.services.tls import ALPN
from lab.stack.backends import certificates


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    certificates.ensure(home, "link-db", time.time())
    return home


@pytest.fixture
def link(home: Home, tmp_path: Path) -> Iterator[Process]:
    echo, process = Echo(), Process(tmp_path, "link-db")
    variables = {
        names.ENV_LINK_UPSTREAM: f"127.0.0.1:{echo.port}",
        names.ENV_LINK_DELAY: str(DELAY_SECONDS),
        names.ENV_TLS_CERTIFICATE: str(home.certificate("link-db")),
    }
    with process.run("lab.services.link", **variables):
        yield process
    echo.close()


def connect(link: Process, home: Home) -> ssl.SSLSocket:
    """Connect like libpq: direct TLS, with host name and certificate authority verified."""
    context = ssl.create_default_context(cafile=home.authority)
    context.set_alpn_protocols([ALPN])
    host, _, port = link.public.rpartition(":")
    return context.wrap_socket(socket.create_connection((host, int(port)), timeout=10), server_hostname=host)


def serial(client: ssl.SSLSocket) -> str:
    certificate = client.getpeercert()
    assert certificate is not None
    return str(certificate["serialNumber"]).lower().lstrip("0")


def test_bytes_are_proxied_through_tls_in_order_after_the_delay(link: Process, home: Home) -> None:
    with connect(link, home) as client:
        assert client.selected_alpn_protocol() == ALPN
        started = time.perf_counter()
        client.sendall(b"x" * 100_000)
        assert receive(client, 100_000) == b"x" * 100_000
        assert time.perf_counter() - started >= DELAY_SECONDS


def test_new_connections_get_the_new_certificate_and_old_ones_stay_open(link: Process, home: Home) -> None:
    with connect(link, home) as old:
        first = serial(old)
        issued = certificates.issue(home, "link-db", 3600, time.time())
        answer = link.control("PUT", "/admin/certificate", {})
        assert answer["new"] == issued.not_after < answer["old"]
        with connect(link, home) as new:
            assert serial(new) == issued.serial != first
        old.sendall(b"still")
        assert receive(old, 5) == b"still"
    text = urllib.request.urlopen(f"http://{link.admin}/metrics", timeout=5).read().decode()
    expiry = next(line for line in text.splitlines() if line.startswith(names.TLS_NOT_AFTER))
    assert float(expiry.split()[-1]) == issued.not_after


def test_an_expired_certificate_is_refused_by_the_client(link: Process, home: Home) -> None:
    certificates.issue(home, "link-db", 1, time.time() - 10)
    link.control("PUT", "/admin/certificate", {})
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        connect(link, home)


def test_an_invalid_certificate_file_is_refused_and_the_old_certificate_stays(link: Process, home: Home) -> None:
    path = home.certificate("link-db")
    good = path.read_bytes()
    path.write_bytes(b"nothing")
    with pytest.raises(urllib.error.HTTPError):
        link.control("PUT", "/admin/certificate", {})
    with connect(link, home) as client:
        path.write_bytes(good)
        assert serial(client) == certificates.read(path).serial


def test_a_client_without_tls_is_rejected(link: Process) -> None:
    host, _, port = link.public.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert receive(client, 1000).find(b"GET") == -1
