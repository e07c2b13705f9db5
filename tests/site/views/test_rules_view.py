"""Rules on pages are the rules in the files, with links to Prometheus and to production."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from support import text

from lab.errors import LabError
from lab.paths import RULES
from lab.site.sources.context import SiteContext
from lab.site.views import (
    rules,
)
from lab.slo.catalogue import committed
from lab.slo.rule_files import read_groups


def test_a_rule_on_a_page_is_exactly_the_rule_in_its_file(context: SiteContext) -> None:
    for profile in ("lab", "production"):
        shown = str(rules.alert_rule(context, "FeedLatencyP99Burn", profile))
        blocks = [html.unescape(re.sub(r"<[^>]+>", "", block)) for block in re.findall(r"<pre.*?</pre>", shown, re.S)]
        source = (RULES / profile / "feed.rules.yml").read_text()
        assert len(blocks) == 2  # the page and the ticket
        for block in blocks:
            indented = "\n".join(f"      {line}" if line else line for line in block.splitlines())
            assert indented in source


def test_each_lab_rule_names_its_production_counterpart(context: SiteContext) -> None:
    """Either a generated rule or the lab rule's windows times the factor."""
    assert "In production: a rule generated from the same SLO" in text(rules.alert_rule(context, "FeedLatencyP99Burn"))
    shown = text(rules.alert_rule(context, "RetryRatioHigh"))
    assert re.search(r"windows 60 times as long:\s+5s\s+as\s+5m\s+,\s+15s\s+as\s+15m", shown)
    assert "For the lab only. It has no window" in text(rules.alert_rule(context, "Watchdog"))
    produced = {part.name for part in context.rule_files.alerts("production")}
    for name in context.rule_files.names():
        assert ("For the lab only" in text(rules.alert_rule(context, name))) == (name not in produced)


def test_every_lab_rule_links_to_its_expression_in_prometheus(context: SiteContext) -> None:
    """Production rules have no link, because no lab loads them."""
    shown = str(rules.slo_rules(context, "feed-latency-p99"))
    asked = [
        parse_qs(urlsplit(html.unescape(href)).query)["g0.expr"][0] for href in re.findall('href="([^"]+)"', shown)
    ]
    groups = [group for file in committed().rule_files("lab") for group in read_groups(file)]
    named = [group for group in groups if group.name.startswith("slo-feed-latency-p99")]
    assert asked == [rule.expr for group in named for rule in group.rules]
    assert "href" not in str(rules.slo_rules(context, "feed-latency-p99", "production"))
    assert "http://127.0.0.1:8090/graph" in str(rules.alert_rule(context, "FeedLatencyP99Burn"))


def test_an_unknown_alert_is_refused_with_the_known_ones(context: SiteContext) -> None:
    with pytest.raises(LabError, match=r"'Nonesuch'.*FeedLatencyP99Burn"):
        rules.alert_rule(context, "Nonesuch")
