"""Helpers for the services' tests: apps in this process with real servers, or whole processes."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import eventually, free_port, running

from lab import names
from lab.services.cache import Cache
from lab.services.db import Database
from lab.telemetry.process import Telemetry

TOKEN = "a-token-of-some-length"

MakeTelemetry = Callable[..., Telemetry]


@contextlib.contextmanager
def database(url: str, telemetry: Telemetry, pool_max: int = 4) -> Iterator[Database]:
    """An open pool."""
    pool = Database(url, application="test", pool_max=pool_max, registry=telemetry.registry)
    pool.open()
    try:
        yield pool
    finally:
        pool.close()


@contextlib.contextmanager
def cache(url: str, telemetry: Telemetry, name: str = "test", keep_stale_seconds: float = 0) -> Iterator[Cache]:
    """A cache client."""
    client = Cache(url, name=name, ttl_seconds=60, registry=telemetry.registry, keep_stale_seconds=keep_stale_seconds)
    try:
        yield client
    finally:
        client.close()


def operations(telemetry: Telemetry) -> float:
    """The number of database operations that this process has made."""
    return sum(
        sample.value
        for family in telemetry.registry.collect()
        for sample in family.samples
        if sample.name == f"{names.DB_OPERATION_DURATION}_count"
    )


class Process:
    """A process of the lab: its addresses and its log."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.public = f"127.0.0.1:{free_port()}"
        self.admin = f"127.0.0.1:{free_port()}"
        self.log = folder / f"{name}.log"
        self.token = folder / "token"
        self.token.write_text(TOKEN)

    @contextlib.contextmanager
    def run(self, module: str, **variables: str) -> Iterator[Any]:
        """The running process, ready; stopped at the end of the block."""
        settings = {
            names.ENV_INSTANCE: self.name,
            names.ENV_LISTEN: self.public,
            names.ENV_ADMIN_LISTEN: self.admin,
            names.ENV_TOKEN_FILE: str(self.token),
        }
        clean = {key: value for key, value in os.environ.items() if not key.startswith("FLEETOPS_")}
        with running((sys.executable, "-m", module), self.log, env={**clean, **settings, **variables}) as process:

            def ready() -> bool:
                if process.poll() is not None:
                    pytest.fail(f"{self.name} ended: {self.log.read_text()[-800:]}")
                return bool(urllib.request.urlopen(f"http://{self.admin}/readyz", timeout=2).status == 200)

            eventually(ready, f"{self.name} is ready", 60)
            yield process

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """A call to the admin API."""
        request = urllib.request.Request(
            f"http://{self.admin}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def lines(self) -> list[dict[str, Any]]:
        """The log lines so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
