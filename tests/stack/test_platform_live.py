"""The platform's own verbs and probes on the running lab: configuration, logs, the DB, and what the exporter tells."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from embedded import EmbeddedLab
from polling import eventually

from lab.clients.prometheus import Prometheus

# The first test of a lab waits for its start too, which has a deadline of its own: a slow machine's start is no hang.
pytestmark = [pytest.mark.stack, pytest.mark.timeout(240, func_only=True)]


def said(lab: EmbeddedLab, *arguments: str) -> str:
    done = lab.fleetops(*arguments)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def test_the_exporter_sees_the_db_and_its_probes_find_feeds_right_and_writes_kept(lab: EmbeddedLab) -> None:
    prometheus = Prometheus.of(lab.home, lab.ports)

    def told() -> dict[str, Any]:
        queries = {
            "up": "db_up",
            "indexes": "min(db_index_valid)",
            "right": 'feed_probe_requests_total{result="match"} > 3',
            "kept": 'write_probe_requests_total{result="acknowledged"} > 3',
        }
        return {name: prometheus.number(query) for name, query in queries.items()}

    assert eventually(lambda: all(told().values()), 60), told()
    assert prometheus.number("write_probe_lost_writes_total") == 0
    assert prometheus.number('feed_probe_requests_total{result="mismatch"}') == 0
    assert prometheus.number('count(supervised_process_starts_total{process=~"postgres|valkey"})') == 2
    assert "user-1" in said(lab, "db", "activity", "--all")


def test_a_pushed_version_reaches_every_replica_and_a_rollback_takes_it_back(lab: EmbeddedLab) -> None:
    prometheus = Prometheus.of(lab.home, lab.ports)

    def versions() -> set[float]:
        return {sample.value for sample in prometheus.instant('fleetops_config_version{job="user"}')}

    said(lab, "config", "push", "user", "pool_max=9")
    version = json.loads(said(lab, "config", "show", "user", "--json"))["current"]["version"]
    assert eventually(lambda: versions() == {version}, 60)
    refused = lab.fleetops("config", "push", "user", "pool_max=nine")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "pool_max='nine'" in refused.stderr
    said(lab, "config", "rollback", "user")
    assert eventually(lambda: versions() == {0}, 60)
    assert eventually(lambda: lab.status()["ready"], 60)


def test_a_log_that_is_rotated_is_in_the_archive_and_goes_on(lab: EmbeddedLab) -> None:
    log: Path = lab.home.logs / "gateway.log"
    first = log.open(encoding="utf-8").readline()
    said(lab, "log", "rotate", "gateway")
    archives = sorted((lab.home.logs / "archive").glob("gateway-*.log.gz"))
    assert first in gzip.decompress(archives[-1].read_bytes()).decode()  # after what had been rolled over before
    assert eventually(lambda: log.stat().st_size > 0, 20)
