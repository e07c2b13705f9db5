"""Of the metrics of Prometheus and Alertmanager, all that a rule, page or program uses are kept."""

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
# A metric name has three parts or more; Python names such as prometheus_config have two.
NAME = re.compile(r"\b(prometheus|alertmanager)_[a-z]+_[a-z_]+\b(?=[{\[)'\" ])")


def used_metrics() -> set[tuple[str, str]]:
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
    scrape = next(scrape for scrape in config["scrape_configs"] if scrape["job_name"] == job)
    rules = scrape.get("metric_relabel_configs", [])
    return str(rules[0]["regex"]) if rules else ".*"


def test_no_used_metric_is_dropped() -> None:
    used = used_metrics()
    assert ("alertmanager", "alertmanager_notifications_total") in used  # the runbook of the Watchdog
    assert {name for job, name in used if not re.fullmatch(keep_rule(job), name)} == set()


@pytest.mark.parametrize(
    ("job", "name"),
    [
        ("prometheus", "prometheus_http_request_duration_seconds_bucket"),
        ("prometheus", "go_memstats_heap_alloc_bytes"),
        ("alertmanager", "alertmanager_notification_latency_seconds_bucket"),
    ],
)
def test_unused_metrics_are_dropped(job: str, name: str) -> None:
    assert not re.fullmatch(keep_rule(job), name)


def test_all_metrics_of_the_labs_own_programs_are_kept() -> None:
    assert keep_rule("gateway") == ".*"
