"""Helpers of every test: ports, polling, processes that end, pages as text."""

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
    """Below those that connections take for themselves, and those of whole labs; a share a worker, none twice."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = range(10000 + worker, 20000, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    start = random.randrange(len(share))
    yield from (*share[start:], *share[:start])


_PORTS = _ports()


def free_port() -> int:
    """A port of loopback that nobody listens on, nor gets before the test does or while a process of it is away."""
    for port in _PORTS:
        if port_free(port):
            return port
    return pytest.fail("no free port from 10000 to 19999")


def eventually(check: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """Polls until `check` gives something true and returns it; fails after `seconds`."""
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
    """A process that ends with the block."""
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
    """Tell the Alertmanager at an address, as Prometheus does, that alerts with these labels fire, or are over.

    `token` is the lab's, where it asks for a login.
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
    """What a reader sees of HTML: no tags, and plain spaces."""
    return html.unescape(re.sub(r"<[^>]+>", " ", str(markup))).replace("\u00a0", " ")
