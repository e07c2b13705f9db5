"""Platform commands and probes on the running lab: configuration, logs, database and exporter."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from embedded import EmbeddedLab
from polling import eventually

from lab.clients.prometheus import Prometheus

# func_only: the first test of a lab also waits for its start, which has its own deadline.
pytestmark = [pytest.mark.stack, pytest.mark.timeout(240, func_only=True)]


def output(lab: EmbeddedLab, *arguments: str) -> str:
    done = lab.fleetops(*arguments)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def test_the_exporter_samples_the_database_and_its_probes_succeed(lab: EmbeddedLab) -> None:
    prometheus = Prometheus.of(lab.home, lab.ports)

    def values() -> dict[str, Any]:
        queries = {
            "up": "db_up",
            "indexes": "min(db_index_valid)",
            "correct": 'feed_probe_requests_total{result="match"} > 3',
            "durable": 'write_probe_requests_total{result="acknowledged"} > 3',
        }
        return {name: prometheus.number(query) for name, query in queries.items()}

    assert eventually(lambda: all(values().values()), 60), values()
    assert prometheus.number("write_probe_lost_writes_total") == 0
    assert prometheus.number('feed_probe_requests_total{result="mismatch"}') == 0
    assert prometheus.number('count(supervised_process_starts_total{process=~"postgres|valkey"})') == 2
    assert "user-1" in output(lab, "db", "activity", "--all")


def test_a_pushed_version_reaches_every_replica_and_a_rollback_reverts_it(lab: EmbeddedLab) -> None:
    prometheus = Prometheus.of(lab.home, lab.ports)

    def versions() -> set[float]:
        return {sample.value for sample in prometheus.instant('fleetops_config_version{job="user"}')}

    # The stages of a push are tested in tests/rollout.
    output(lab, "config", "push", "user", "pool_max=9", "--emergency", "--reason", "a test")
    version = json.loads(output(lab, "config", "show", "user", "--json"))["current"]["version"]
    assert eventually(lambda: versions() == {version}, 60)
    refused = lab.fleetops("config", "push", "user", "pool_max=nine")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "pool_max='nine'" in refused.stderr
    output(lab, "config", "rollback", "user")
    assert eventually(lambda: versions() == {0}, 60)
    assert eventually(lab.ready, 60)


def test_a_rotated_log_is_archived_and_logging_continues(lab: EmbeddedLab) -> None:
    log: Path = lab.home.logs / "gateway.log"
    first = log.open(encoding="utf-8").readline()
    output(lab, "log", "rotate", "gateway")
    archives = sorted((lab.home.logs / "archive").glob("gateway-*.log.gz"))
    assert first in gzip.decompress(archives[-1].read_bytes()).decode()  # after the lines of rotated parts
    assert eventually(lambda: log.stat().st_size > 0, 20)
