"""Rule groups have unique names, and intervals within Prometheus's lookback."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import SpecError
from lab.slo import find_slo, load_windows
from lab.slo.generate import PLAIN, read_all
from lab.slo.model import Intervals, Slo, Tier, Windows
from lab.slo.rendering.budget import interval_seconds
from lab.slo.rendering.rules import generate

SPEC = """\
version: prometheus/v1
service: shop
slos:
  - name: mail
    objective: 99.9
    infoLabels: {name: lighthouse, slo: lighthouse, expr: lighthouse, window_seconds: lighthouse, labels: lighthouse}
    interval: {%s}
    sli:
      events:
        error_query: sum(rate(mails_total{outcome="lost"}[{{.window}}]))
        total_query: sum(rate(mails_total[{{.window}}]))
    alerting: {name: MailBurn}
"""


def slo_of(folder: Path, interval: str = "all: 1m") -> Slo:
    (folder / "spec.yml").write_text(SPEC % interval)
    return read_all([folder / "spec.yml"])[0][1][0]


@pytest.mark.parametrize("policy", ["guarded", "plain"])
@pytest.mark.parametrize(
    "intervals", [Intervals(), Intervals(60, 60, 60)], ids=["default intervals", "intervals of the spec"]
)
def test_an_slo_named_like_another_slos_group_has_its_own_groups(policy: str, intervals: Intervals) -> None:
    slo = replace(find_slo("feed-availability"), intervals=intervals)
    slo = replace(slo, policy=PLAIN) if policy == "plain" else slo
    names = ["availability", *(f"availability-{part}" for part in ("budget", "ticket", "alerts", "page"))]
    groups = [group.name for name in names for group in generate(replace(slo, name=name), load_windows("production"))]
    assert len(set(groups)) == len(groups) > len(names)


def test_info_labels_may_have_any_name(tmp_path: Path) -> None:
    rules = [rule for group in generate(slo_of(tmp_path), load_windows("production")) for rule in group.rules]
    (info,) = (rule for rule in rules if rule.name == "sloth_slo_info")
    assert [name for name, value in info.labels.items() if value == "lighthouse"] == [
        "name", "slo", "expr", "window_seconds", "labels",
    ]  # fmt: skip


@pytest.mark.parametrize("shortest", [5, 60, 300, 900, 3600, 86400])
def test_slow_groups_are_evaluated_well_within_the_lookback(shortest: int) -> None:
    tiers = tuple(
        Tier(severity, speed, 0.1, shortest * step, 12 * shortest * step, 2.0)
        for severity in ("page", "ticket")
        for speed, step in (("quick", 1), ("slow", 3))
    )
    windows = Windows("long", 90 * 86400, 15, 1, tiers)
    assert 1 <= interval_seconds(windows) <= min(150, shortest)
    groups = generate(find_slo("feed-availability"), windows)
    assert {group.interval_seconds or 0 for group in groups} == {0, interval_seconds(windows)}


@pytest.mark.parametrize("key", ["all", "slierror", "metadata", "alert"])
@pytest.mark.parametrize("interval", ["5m", "10m", "1h"])
def test_an_interval_as_long_as_the_lookback_is_refused_with_the_line(tmp_path: Path, key: str, interval: str) -> None:
    with pytest.raises(SpecError, match=rf"spec.yml:7: slos\[0\].interval.{key}: Prometheus looks back 5m"):
        slo_of(tmp_path, f"{key}: {interval}")
    assert slo_of(tmp_path, f"{key}: 4m").intervals != Intervals()
