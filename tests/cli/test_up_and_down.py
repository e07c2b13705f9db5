"""Starting and stopping a separate lab: however a start ends, nothing stays behind and the next start works."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from embedded import EmbeddedLab, stopped_afterwards
from polling import eventually
from support import fire

from lab.clients.pager import Pager
from lab.paths import ROOT
from lab.stack.backends import postgres
from lab.stack.processes.supervision import socket_path
from lab.stack.programs import url

# The longest test starts a lab twice, while other tests run.
pytestmark = pytest.mark.timeout(540)


def in_foreground(lab: EmbeddedLab, output: Path) -> subprocess.Popen[bytes]:
    with output.open("wb") as file:
        return subprocess.Popen(lab.command("up"), env=lab.env, cwd=ROOT, stdout=file, stderr=file)


@pytest.fixture(scope="module")
def shared_lab(tools: dict[str, Path], built_site: Path) -> Iterator[EmbeddedLab]:
    """A lab for the tests of starts; each starts or stops it first as it needs, and may leave it running."""
    with stopped_afterwards(tools) as made:
        yield made


def test_a_killed_start_leaves_no_process_and_the_next_start_has_the_data(
    shared_lab: EmbeddedLab, tmp_path: Path
) -> None:
    """SIGKILL of `fleetops up` ends every process and socket; two concurrent starts give one lab, with the old data."""
    shared_lab.fleetops("down")
    output = tmp_path / "up.log"
    starter = in_foreground(shared_lab, output)
    assert eventually(lambda: b"ready in" in output.read_bytes() or starter.poll() is not None, 240)
    assert starter.poll() is None, output.read_text()
    address = postgres.url(shared_lab.home, shared_lab.ports.postgres)
    with psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 41 + 1 AS answer")
    assert len(shared_lab.leftovers()) > 10

    starter.send_signal(signal.SIGKILL)
    starter.wait()
    assert eventually(lambda: not shared_lab.leftovers()), shared_lab.leftovers()
    assert not shared_lab.listening()
    assert not socket_path(shared_lab.home).exists()

    both = [
        subprocess.Popen(
            shared_lab.command("up", "--detach"),
            env=shared_lab.env,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sorted(out.split()[0] for out, _ in outputs) == ["already", "ready"]
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_an_alert_that_was_notified_before_a_stop_pages_again_after_the_next_start(shared_lab: EmbeddedLab) -> None:
    """The start closes the page, so Alertmanager must not count the alert as notified.

    The alert belongs to no rule, because a start on a busy machine may raise others.
    """
    alertmanager = url(shared_lab.ports.alertmanager)
    alert = {"alertname": "NotifiedBeforeTheStop", "severity": "page"}

    def firing() -> list[int]:
        pages = Pager.of(shared_lab.home, shared_lab.ports).pages(only_open=True)
        return [page.id for page in pages if page.alertname == alert["alertname"]]

    shared_lab.up()
    token = shared_lab.home.token.read_text().strip()
    fire(alertmanager, [alert], token=token)
    assert eventually(firing)
    before = firing()
    assert shared_lab.fleetops("down").returncode == 0
    shared_lab.up()
    assert firing() == []
    fire(alertmanager, [alert], token=token)
    assert eventually(firing), "Alertmanager did not notify the pager"
    assert firing() != before


def test_sigterm_during_a_start_leaves_no_process(idle_lab: EmbeddedLab, tmp_path: Path) -> None:
    """An aborted start stops what it has started, even after a second signal."""
    output = tmp_path / "up.log"
    starter = in_foreground(idle_lab, output)
    assert eventually(lambda: len(idle_lab.leftovers()) > 3, 120), output.read_text()
    starter.send_signal(signal.SIGTERM)
    starter.send_signal(signal.SIGHUP)  # a different signal, because two of the same kind may be merged
    assert eventually(lambda: b"still stopping" in output.read_bytes() or starter.poll() is not None)
    assert starter.wait(60) == 130
    assert not idle_lab.leftovers()
    assert not idle_lab.listening()


def test_a_port_in_use_is_reported_with_its_holder(idle_lab: EmbeddedLab) -> None:
    """`up` fails with one line that has the port and the process, and starts nothing."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", idle_lab.ports.gateway))
        listener.listen()
        done = idle_lab.fleetops("up", "--detach")
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert f"port {idle_lab.ports.gateway} for gateway" in line
    assert f"{psutil.Process().name()} (pid {os.getpid()})" in line
    assert not idle_lab.leftovers()


def test_down_without_a_running_lab_succeeds(idle_lab: EmbeddedLab) -> None:
    done = idle_lab.fleetops("down")
    assert (done.returncode, done.stdout.startswith("nothing is running")) == (0, True)
