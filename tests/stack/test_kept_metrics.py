"""Of what Prometheus and Alertmanager tell about themselves, everything that a rule or a page reads is kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.paths import ROOT, Home, Ports
from lab.stack.backends import monitoring

READERS = [
    *ROOT.glob("rules/platform/*.rules.yml"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("lab/**/*.py"),
    *ROOT.glob("docs/assets/**/*.js"),
]
# A sample's name has three parts or more; a Python name such as prometheus_config is followed by a parenthesis.
NAME = re.compile(r"\b(prometheus|alertmanager)_[a-z]+_[a-z_]+\b(?=[{\[)'\" ])")


def read_by_somebody() -> set[tuple[str, str]]:
    return {
        (match[1], match[0])
        for file in READERS
        if file != Path(monitoring.__file__)
        for match in NAME.finditer(file.read_text(encoding="utf-8"))
    }


def keep_rule(job: str) -> str:
    config = monitoring.prometheus_config(
        Home(Path("/nowhere")), Ports(8000), ["gateway", "prometheus", "alertmanager"]
    )
    scrape = next(one for one in config["scrape_configs"] if one["job_name"] == job)
    rules = scrape.get("metric_relabel_configs", [])
    return str(rules[0]["regex"]) if rules else ".*"


def test_no_metric_that_somebody_reads_is_dropped() -> None:
    wanted = read_by_somebody()
    assert ("alertmanager", "alertmanager_notifications_total") in wanted  # the runbook of the Watchdog
    assert {name for job, name in wanted if not re.fullmatch(keep_rule(job), name)} == set()


@pytest.mark.parametrize(
    ("job", "name"),
    [
        ("prometheus", "prometheus_http_request_duration_seconds_bucket"),
        ("prometheus", "go_memstats_heap_alloc_bytes"),
        ("alertmanager", "alertmanager_notification_latency_seconds_bucket"),
    ],
)
def test_what_nobody_reads_is_dropped(job: str, name: str) -> None:
    assert not re.fullmatch(keep_rule(job), name)


def test_our_own_programs_are_kept_whole() -> None:
    assert keep_rule("gateway") == ".*"
