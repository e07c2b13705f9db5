"""The catalogue of metrics, read from the code that registers them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.paths import DOCS, ROOT
from lab.site.sources import metrics
from lab.site.sources.context import SiteContext
from lab.site.views import services


def test_the_metric_catalogue_lists_what_the_code_registers(context: SiteContext) -> None:
    shown = str(services.metric_table(context)).replace("<wbr>", "")
    for name in ("http_server_request_duration_seconds", "gateway_canary_weight_ratio", "cache_requests_total"):
        assert name in shown


def test_a_metric_has_its_labels_even_when_the_code_aliases_their_names(context: SiteContext, tmp_path: Path) -> None:
    known = {metric.name: metric.labels for metric in context.metrics}
    assert known["circuit_breaker_state"] == ("upstream", "state")
    assert known["traffic_requests_offered_total"] == ("http_route",)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "made.py").write_text("\nCounter('made_up_total', 'Made up.', [given()])\n")
    with pytest.raises(LabError, match=r"lab/made\.py:2: the labels of made_up_total are not constants"):
        metrics.metrics(tmp_path / "lab")


def test_a_client_is_a_label_of_one_metric_as_page_10_says(context: SiteContext) -> None:
    labelled = [metric.name for metric in context.metrics if "client" in metric.labels]
    assert labelled == ["gateway_client_requests_total"]
    page = (DOCS / "10_operational_metrics.md").read_text()
    assert f'A client is a label in one place, {{{{ metric("{labelled[0]}") }}}}' in page


def test_a_metric_named_on_a_page_is_one_that_a_process_registers(context: SiteContext) -> None:
    known = {metric.name for metric in metrics.metrics(ROOT / "lab")}
    named = {
        (page.name, name)
        for page in DOCS.rglob("*.md")
        for name in re.findall(r"`([a-z]+_[a-z_]+_(?:total|seconds|ratio|requests|connections))`", page.read_text())
    }
    assert {(page, name) for page, name in named if name not in known} == set()
    with pytest.raises(LabError, match=r"'cache_request_total'.*cache_requests_total"):
        services.metric(context, "cache_request_total")
