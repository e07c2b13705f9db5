"""The real pager process: whatever it answered with 200 survives `kill -9`."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from payloads import alert, payload
from polling import eventually
from support import free_port

from lab.clients.pager import Pager
from lab.clients.times import utc_text
from lab.errors import LabError, NotRunning
from lab.oncall.escalation import AFTER_SECONDS, TO
from lab.oncall.ticker import PERIOD_SECONDS

TOKEN = "a-token-of-sixteen-or-more"
READY_SECONDS = 20


@pytest.fixture
def port() -> int:
    return free_port()


@contextmanager
def pager(folder: Path, port: int) -> Iterator[tuple[subprocess.Popen[bytes], Pager]]:
    token = folder / "token"
    token.write_text(TOKEN)
    environment = {
        **os.environ,
        "FLEETOPS_LISTEN": f"127.0.0.1:{port}",
        "FLEETOPS_TOKEN_FILE": str(token),
        "FLEETOPS_STATE_DIR": str(folder / "pager"),
    }
    process = subprocess.Popen([sys.executable, "-m", "lab.oncall.pager"], env=environment)
    client = Pager(f"http://127.0.0.1:{port}", TOKEN)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                client.http.call("GET", "/readyz")
                break
            except NotRunning:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield process, client
    finally:
        process.kill()
        process.wait()


def test_kill_9_between_a_page_and_its_ack_loses_neither(tmp_path: Path, port: int) -> None:
    with pager(tmp_path, port) as (_, client):
        client.http.call("POST", "/alertmanager", payload(alert()))
    with pager(tmp_path, port) as (_, client):
        (page,) = client.pages(only_open=True)
        client.ack(page.id, "ada")
    with pager(tmp_path, port) as (_, client):
        (page,) = client.pages(only_open=True)
        assert page.acked_by == "ada"


def test_a_page_that_became_overdue_while_the_pager_was_down_is_escalated_at_its_start(
    tmp_path: Path, port: int
) -> None:
    with pager(tmp_path, port) as (_, client):
        client.http.call("POST", "/alertmanager", payload(alert("Waiting"), alert("Young")))
    with sqlite3.connect(tmp_path / "pager" / "pager.sqlite3") as db:
        db.execute(
            "UPDATE pages SET received_at = ? WHERE labels LIKE '%Waiting%'", (utc_text(time.time() - AFTER_SECONDS),)
        )
    with pager(tmp_path, port) as (_, client):
        assert eventually(lambda: any(page.escalated_at for page in client.pages()), 10)
        first = client.pages()
    with pager(tmp_path, port) as (_, client):
        time.sleep(2.5 * PERIOD_SECONDS)
        assert client.pages() == first
    assert {page.alertname: page.escalated_to for page in first} == {"Waiting": TO, "Young": None}


def test_sigterm_stops_the_pager_with_exit_status_0(tmp_path: Path, port: int) -> None:
    with pager(tmp_path, port) as (process, _):
        process.terminate()
        assert process.wait(timeout=15) == 0


def test_the_pages_metric_has_no_series_for_an_unknown_severity(tmp_path: Path, port: int) -> None:
    with pager(tmp_path, port) as (_, client):
        odd = alert("Odd", labels={"alertname": "Odd", "severity": "surprise"})
        client.http.call("POST", "/alertmanager", payload(alert(), odd))
        metrics = client.http._pool.request("GET", f"{client.http.base_url}/metrics").data.decode()
    for severity in ("page", "other"):
        assert f'pager_pages{{acked="false",escalated="false",severity="{severity}",status="firing"}} 1.0' in metrics


def test_a_wrong_token_is_refused_with_a_line_that_names_fleetops_home(tmp_path: Path, port: int) -> None:
    with pager(tmp_path, port) as (_, client), pytest.raises(LabError, match="FLEETOPS_HOME"):
        Pager(client.http.base_url, "some-other-token-entirely").ack(1, "ada")
