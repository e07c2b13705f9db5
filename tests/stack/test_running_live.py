"""The running lab: status, supervision, scaling, rule reloads and logs."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import pytest
from embedded import EmbeddedLab
from polling import eventually

from lab.clients.prometheus import Prometheus
from lab.errors import SpecError
from lab.stack import replicas
from lab.stack.backends import monitoring
from lab.stack.tools import binaries

# func_only: the first test of a lab also waits for its start, which has its own deadline.
pytestmark = [pytest.mark.stack, pytest.mark.timeout(240, func_only=True)]


def test_status_lists_every_process_with_pid_memory_and_state(lab: EmbeddedLab) -> None:
    """`status --json` has readiness, URLs, and the pid, RSS and state of each process; the total is their sum."""
    status = lab.status()
    assert status["ready"] is True, status["waiting_for"]
    rows = {row["name"]: row for row in status["processes"]}
    assert {"gateway", "user-1", "user-2", "feed-1", "feed-2", "feed-canary-1", "postgres", "valkey"} <= set(rows)
    assert {"prometheus", "alertmanager", "pager", "traffic", "console", "link-db", "supervisord"} <= set(rows)
    assert all(row["state"] == "running" and row["rss_bytes"] > 1 << 20 for row in rows.values())
    for row in rows.values():
        os.kill(row["pid"], 0)
    assert status["total_rss_bytes"] == sum(row["rss_bytes"] for row in rows.values())
    assert status["urls"]["console"] == f"http://127.0.0.1:{lab.ports.console}"


def test_a_second_start_reports_that_the_lab_is_running(lab: EmbeddedLab) -> None:
    """One line with pid and URL, exit status 0, and nothing is changed."""
    before = {name: row.pid for name, row in lab.processes().items()}
    done = lab.fleetops("up", "--detach")
    assert done.returncode == 0
    message = f"already running (pid {before['supervisord']}, http://127.0.0.1:{lab.ports.console}"
    assert re.fullmatch(rf"{re.escape(message)}/\?key=[0-9a-f]{{64}}\); `fleetops down` stops it", done.stdout.strip())
    assert {name: row.pid for name, row in lab.processes().items()} == before


def test_a_start_leaves_a_healthy_lab_with_a_damaged_run_file_running(lab: EmbeddedLab) -> None:
    """It recognizes the lab by its processes, reports this, and rewrites the file."""
    before = {name: row.pid for name, row in lab.processes().items()}
    kept = (lab.home.run / "lab.json").read_text()
    (lab.home.run / "lab.json").write_text('{"phase": "rea')
    assert lab.ready()
    done = lab.fleetops("up", "--detach")
    assert (done.returncode, done.stdout.partition(" (")[0]) == (0, "already running"), done.stderr
    assert "rewritten from the running processes" in done.stderr
    assert {name: row.pid for name, row in lab.processes().items()} == before
    assert json.loads((lab.home.run / "lab.json").read_text())["supervisor"] == before["supervisord"]
    (lab.home.run / "lab.json").write_text(kept)  # with the duration of the start, which cannot be recovered


def test_a_killed_gateway_is_restarted_and_the_restart_is_counted(lab: EmbeddedLab) -> None:
    before = lab.processes()["gateway"]
    os.kill(lab.pid("gateway"), signal.SIGKILL)
    assert eventually(lambda: lab.processes()["gateway"].pid != before.pid and lab.ready(), 60)
    assert lab.processes()["gateway"].restarts == before.restarts + 1


def test_a_frozen_process_is_shown_as_frozen(lab: EmbeddedLab) -> None:
    pid = lab.pid("user-2")
    os.kill(pid, signal.SIGSTOP)
    try:
        assert eventually(lambda: lab.processes()["user-2"].state == "frozen")
        assert not lab.ready()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert eventually(lab.ready, 60)


def test_a_scaled_up_replica_is_routed_and_scraped_and_removed_again(lab: EmbeddedLab) -> None:
    """A third replica runs and gets traffic and scrapes; after scaling down, nothing of it is left."""
    count = len(lab.processes())
    assert replicas.scale(lab.home, lab.ports, "feed", 3) == 2
    assert eventually(lab.ready, 60)
    assert lab.processes()["feed-3"].state == "running"
    assert replicas.scale(lab.home, lab.ports, "feed", 2) == 3
    assert eventually(lab.ready, 60)
    assert len(lab.processes()) == count
    targets = json.loads((monitoring.targets_dir(lab.home) / "feed.json").read_text())
    assert [target["labels"]["instance"] for target in targets] == ["feed-1", "feed-2", "feed-canary-1"]
    # It was scraped exactly as long as it ran: a target that is down for five seconds opens a ticket.
    prometheus = Prometheus.of(lab.home, lab.ports)
    assert eventually(lambda: not prometheus.instant('up{instance="feed-3"}'), 30)
    assert prometheus.number('min_over_time(up{instance="feed-3"}[5m])') == 1


def test_rules_are_reloaded_without_a_restart(lab: EmbeddedLab, tools: dict[str, Path]) -> None:
    pid = lab.processes()["prometheus"].pid
    assert replicas.reload_rules(lab.home, lab.ports, tools["promtool"]) > 0
    assert lab.processes()["prometheus"].pid == pid


def test_invalid_rules_are_refused_and_the_running_ones_stay(
    lab: EmbeddedLab, tools: dict[str, Path], tmp_path: Path
) -> None:
    """The caller gets promtool's reason before Prometheus reloads."""
    broken = tmp_path / "broken.rules.yml"
    broken.write_text("groups: [{name: g, rules: [{alert: A, expr: 'sum('}]}]\n")
    config = lab.home.run / "prometheus.yml"
    text = config.read_text()
    config.write_text(text.replace("rule_files:", f"rule_files:\n- {broken}"))
    before = monitoring.rules_loaded(lab.home, lab.ports)
    try:
        with pytest.raises(SpecError, match="Prometheus would refuse"):
            replicas.reload_rules(lab.home, lab.ports, tools["promtool"])
    finally:
        config.write_text(text)
    assert monitoring.rules_loaded(lab.home, lab.ports) == before


def test_logs_of_a_service_merge_its_replicas_by_time(lab: EmbeddedLab) -> None:
    """`logs feed` merges the replicas; `--trace` selects the lines of one request, in any service."""
    lines = [json.loads(line) for line in lab.fleetops("logs", "feed", "--lines", "200").stdout.splitlines()]
    assert {line["instance"] for line in lines} >= {"feed-1", "feed-2"}
    assert [line["ts"] for line in lines] == sorted(line["ts"] for line in lines)
    trace = next(line["trace_id"] for line in reversed(lines) if "trace_id" in line)
    assert eventually(lambda: lab.fleetops("logs", "gateway", "--trace", trace).stdout)
    traced = lab.fleetops("logs", "gateway", "--trace", trace).stdout.splitlines()
    assert all(json.loads(line)["trace_id"] == trace for line in traced)


def test_logs_of_an_unknown_service_list_the_known_ones(lab: EmbeddedLab) -> None:
    done = lab.fleetops("logs", "nope")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "no logs of 'nope'" in done.stderr
    assert "gateway" in done.stderr


def test_doctor_finds_the_programs_and_the_running_lab(lab: EmbeddedLab) -> None:
    findings = {f["name"]: f for f in json.loads(lab.fleetops("doctor", "--json").stdout)["findings"]}
    assert all(findings[name]["ok"] and findings[name]["found"] for name in binaries.TOOLS)
    assert findings["lab"]["found"].startswith("running (pid")
