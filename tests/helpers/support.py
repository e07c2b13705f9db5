"""Helpers for all tests: free ports, polling, processes, alerts, and HTML as text."""

from __future__ import annotations

import contextlib
import html
import json
import os
import random
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab.clients.http import login_headers
from lab.names import LOGIN_USER
from lab.stack.processes.orphans import port_free


def _ports() -> Iterator[int]:
    """Ports below the ephemeral range and the labs' ranges, without repetition.

    Each xdist worker has its own share, and a run without xdist, which may be beside one with it, another range.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        share = range(9000, 10000)
    else:
        share = range(10000 + int(worker.removeprefix("gw")), 20000, int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    start = random.randrange(len(share))
    yield from (*share[start:], *share[:start])


_PORTS = _ports()


def free_port() -> int:
    """A free loopback port that no other test or connection gets, not even while the test's process restarts."""
    for port in _PORTS:
        if port_free(port):
            return port
    return pytest.fail("no free port from 9000 to 19999")


def eventually(check: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """Polls until `check` returns a true value and returns it; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    problem: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if result := check():
                return result
        except Exception as error:  # noqa: BLE001 - not yet
            problem = error
        time.sleep(0.05)
    return pytest.fail(f"not within {seconds:g} s: {what}" + (f" ({problem})" if problem else ""))


@contextlib.contextmanager
def running(command: tuple[str, ...], log: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is terminated at the end of the block."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def fire(
    alertmanager: str, alerts: list[dict[str, str]], *, resolved: bool = False, token: str = "", **annotations: str
) -> None:
    """Send firing or resolved alerts with these labels to an Alertmanager, as Prometheus does.

    `token` is the lab's control token, for an Alertmanager that requires a login.
    """
    now = datetime.now(UTC)
    body = [
        {"labels": labels, "annotations": annotations, "startsAt": now.isoformat()}
        | ({"endsAt": now.isoformat()} if resolved else {})
        for labels in alerts
    ]
    request = urllib.request.Request(
        f"{alertmanager}/api/v2/alerts",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", **(login_headers(LOGIN_USER, token) if token else {})},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200


def text(markup: object) -> str:
    """The visible text of HTML: without tags, and with plain spaces."""
    return html.unescape(re.sub(r"<[^>]+>", " ", str(markup))).replace("\u00a0", " ")
