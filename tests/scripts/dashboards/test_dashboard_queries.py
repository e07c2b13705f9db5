"""Every query of the dashboards is PromQL over series that the lab has, whatever the rules' profile."""

from __future__ import annotations

import re
from pathlib import Path

import dashboards
import pytest
import yaml

from lab.paths import ROOT
from lab.site.sources.metrics import metrics
from lab.site.sources.query_check import FOREIGN
from lab.slo import promtool
from lab.slo.catalogue import PROFILES, committed
from lab.slo.query.tree import Selector, parse, selectors
from lab.slo.rule_files import read_groups

QUERIES = dashboards.every_query()
PARTS = {"histogram": ("_bucket", "_sum", "_count")}
# Labels that Prometheus adds when it scrapes, and that of a histogram's buckets.
SCRAPED = {"job", "instance", "le"}


def registered() -> dict[str, set[str]]:
    """Every series that the lab's processes export, with its labels."""
    return {
        metric.name + part: {*metric.labels, *SCRAPED}
        for metric in metrics(ROOT / "lab")
        for part in PARTS.get(metric.kind, ("",))
    }


def recorded(profile: str) -> set[str]:
    """Every series that the rules of a profile record."""
    files = committed().rule_files(profile)
    return {rule.record for file in files for group in read_groups(file) for rule in group.rules if rule.record}


EXPORTED = registered()
RECORDED = {profile: recorded(profile) for profile in PROFILES}


def selected(expr: str) -> list[Selector]:
    """The selectors of a query, with example values for its variables."""
    return [found for text in dashboards.promql(expr, dashboards.EXAMPLES) for found in selectors(parse(text))]


def names_of(selector: Selector) -> tuple[str, re.Pattern[str] | None]:
    """The name of the series, or the pattern that it must match."""
    patterns = [matcher.value for matcher in selector.matchers if (matcher.label, matcher.op) == ("__name__", "=~")]
    return selector.metric, re.compile(patterns[0]) if patterns else None


def unknown(expr: str) -> list[str]:
    """What a query selects that nothing exports or records, in either profile."""
    problems = []
    for selector in selected(expr):
        name, pattern = names_of(selector)
        for profile in PROFILES:
            if pattern and not any(pattern.fullmatch(series) for series in RECORDED[profile]):
                problems.append(f"{pattern.pattern} matches no recorded series of {profile}")
            if not pattern and name not in EXPORTED and name not in RECORDED[profile] and not FOREIGN.match(name):
                problems.append(f"{name} is neither exported nor recorded in {profile}")
        labels = {matcher.label for matcher in selector.matchers}
        problems += [f"{name} has no label {label}" for label in labels - EXPORTED.get(name, labels)]
    return problems


def test_there_are_queries() -> None:
    assert len(QUERIES) > 80
    assert {query.dashboard for query in QUERIES} == {file.stem for file in dashboards.FILES}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.place)
def test_a_query_names_only_series_and_labels_that_exist(query: dashboards.PanelQuery) -> None:
    assert unknown(query.expr) == []


@pytest.mark.parametrize(
    ("expr", "problem"),
    [
        ("rate(http_requests_total[1m])", "http_requests_total is neither exported nor recorded in production"),
        ('{__name__=~"slo:sli_errors:.+"}', "slo:sli_errors:.+ matches no recorded series of production"),
        ("slo:sli_error:ratio_rate5m", "slo:sli_error:ratio_rate5m is neither exported nor recorded in lab"),
        ('db_up{state="1"}', "db_up has no label state"),
    ],
)
def test_a_wrong_name_is_found(expr: str, problem: str) -> None:
    assert problem in unknown(expr)


@pytest.mark.parametrize("file", dashboards.FILES, ids=lambda file: file.stem)
def test_variables_and_annotations_select_series_that_exist(file: Path) -> None:
    for selector, label in dashboards.choices(file).values():
        (chosen,) = selected(selector)
        assert unknown(selector) == []
        assert label in EXPORTED.get(chosen.metric, {"sloth_id"})
    for annotation in dashboards.read(file)["annotations"]["list"]:
        assert unknown(annotation["expr"]) == []


@pytest.mark.promtool
def test_prometheus_would_load_every_query(tmp_path: Path, tools: dict[str, Path]) -> None:
    """As the expression of a recording rule, which promtool parses as the server does."""
    annotations = [item["expr"] for file in dashboards.FILES for item in dashboards.read(file)["annotations"]["list"]]
    texts = [
        text for expr in (*(query.expr for query in QUERIES), *annotations)
        for text in dashboards.promql(expr, dashboards.EXAMPLES)
    ]  # fmt: skip
    rules = [{"record": f"panel:query:{at}", "expr": text} for at, text in enumerate(texts)]
    file = tmp_path / "panels.rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    checked = promtool.run(["check", "rules", file])
    assert checked.returncode == 0, checked.stdout + checked.stderr
