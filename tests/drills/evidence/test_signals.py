"""The signals of a record mean what the charts drawn of them say."""

from __future__ import annotations

import re

from lab.drills.evidence import signals
from lab.paths import DOCS
from lab.slo.catalogue import find_slo

CHART = re.compile(r"\{\{ chart\((.*?)\) \}\}")


def test_latency_is_that_of_successful_requests_as_in_the_latency_slos() -> None:
    latencies = [line for line in signals.signals(find_slo(signals.FEED_P99)) if line.name.endswith("_seconds")]
    assert {line.name.removesuffix("_seconds").rpartition("_")[2] for line in latencies} == {"p99", "mean"}
    for line in latencies:
        selectors = re.findall(r"rate\((.*?)\[", line.query)
        assert selectors, line.name
        assert all('=~"2.."' in selector for selector in selectors), line.query


def test_a_chart_of_load_shows_what_was_offered_beside_what_was_completed() -> None:
    charts = [(page.name, call) for page in sorted(DOCS.rglob("*.md")) for call in CHART.findall(page.read_text())]
    loads = [(page, call) for page, call in charts if 'title="Load' in call]
    assert loads
    for page, call in loads:
        assert '"offered_per_second"' in call, page
        assert '"requests_per_second"' in call, page
