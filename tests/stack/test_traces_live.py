"""Traces of a running lab: whole, correlated with the logs, and none lost for long when a process is killed."""

from __future__ import annotations

import json
import os
import signal
from functools import partial
from typing import Any

import pytest
from embedded import EmbeddedLab
from polling import eventually

from lab.tracing import store

pytestmark = pytest.mark.stack


def listed(lab: EmbeddedLab, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(lab.fleetops("trace", "list", "--json", *options).stdout or "[]")
    return found


def is_logged(lab: EmbeddedLab, service: str, ident: str) -> bool:
    """Whether a service's log has the line of the request with this trace."""
    lines = lab.fleetops("logs", service, "--trace", ident, "--json").stdout.splitlines()
    return any(json.loads(line)["event"] == "request" for line in lines)


def test_traces_are_whole_and_their_log_lines_are_found(lab: EmbeddedLab) -> None:
    def answered() -> list[str]:
        """The newest feeds whose traces are kept. The lines of older ones may be in an archive."""
        newest = listed(lab, "--name", "/v1/feed", "--since", "10")
        return [row["trace_id"] for row in newest if row["status"] == 200]

    assert eventually(answered, 30)
    ident = next(iter(answered()))
    trace = json.loads(lab.fleetops("trace", "show", ident, "--json").stdout)
    services = {process["service"] for process in trace["processes"]}
    assert services >= {"gateway", "feed"}
    assert "missing" not in lab.fleetops("trace", "show", ident).stdout
    for service in sorted(services):  # supervision writes the lines, and may be behind
        assert eventually(partial(is_logged, lab, service, ident), 10), f"{service} has no line of {ident}"


def test_a_killed_collector_goes_on_after_its_restart(lab: EmbeddedLab) -> None:
    def kept() -> set[str]:
        return {line.trace_id for line in store.summaries(lab.home, limit=2000)}

    before = kept()
    os.kill(lab.pid("exporter"), signal.SIGKILL)
    # One request a second is kept, and the gateway keeps what was chosen meanwhile for the next collector.
    assert eventually(lambda: len(kept() - before) >= 4, 30)
    assert eventually(lab.ready, 30)
