"""Without guards, alerts fire and resolve at the same evaluations as Sloth's.

Sloth's rules come from scripts/sloth_shape.py, which reproduces the form of Sloth's published output. Both rule sets are
loaded together, get the same samples, and are compared at every evaluation. The specs are our own, one for each form in
Sloth's examples and integration tests.
"""

# ruff: noqa: E501 - rules and tests are easiest to read with one per line
from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lab.slo import promtool
from lab.slo.generate import PLAIN, read_all, render_slos
from lab.slo.model import Slo
from lab.slo.rendering.rules import generate
from lab.slo.specs.windows import read_windows
from scripts import sloth_shape

pytestmark = pytest.mark.promtool

SPEC = """\
version: prometheus/v1
service: ours
slos:
  - name: availability
    objective: 99
    sli:
      events:
        error_query: sum(rate(requests_total{code="500"}[{{.window}}]))
        total_query: sum(rate(requests_total[{{.window}}]))
    alerting:
      name: Burn
"""

# Everything that a native spec may contain: labels at both levels, annotations, one or both alerts disabled, a
# precomputed ratio, counting subqueries, queries of several lines, intervals, several documents.
EXAMPLES = """\
---
version: "prometheus/v1"
service: "ours"
labels: {owner: somebody, tier: "2"}
slos:
  - name: "labelled"
    objective: 99
    description: "Labels of the service, of the SLO and of each alert."
    labels: {category: availability}
    infoLabels: {contact: somebody}
    sli:
      events:
        error_query: sum(rate(requests_total{code=~"(5..|429)"}[{{.window}}]))
        total_query: sum(rate(requests_total[{{.window}}]))
    alerting:
      name: Labelled
      labels: {routing_key: somebody}
      annotations: {summary: "Requests fail"}
      page_alert:
        labels: {severity: pageteam}
      ticket_alert:
        labels: {severity: "chat", channel: "#alerts"}
        annotations: {summary: "Requests fail slowly"}
  - name: "raw"
    objective: 95
    sli:
      raw:
        error_ratio_query: |
          sum(rate(requests_total{code="500"}[{{.window}}]))
          /
          sum(rate(requests_total[{{.window}}]))
    alerting:
      name: RawRatio
      ticket_alert:
        disable: true
  - name: "lines"
    objective: 99.5
    sli:
      events:
        error_query: |
          (
            sum(rate(requests_total[{{ .window }}]))
            -
            sum(rate(requests_total{code="200"}[{{ .window }}]))
          )
        total_query: |
          sum(
            rate(requests_total[{{.window}}])
          )
    alerting:
      name: Lines
      page_alert: {disable: true}
      ticket_alert: {}
  - name: "counted"
    objective: 95
    sli:
      events:
        error_query: sum_over_time((count(satisfaction_ratio < 0.5))[{{.window}}:1s]) OR on() vector(0)
        total_query: sum_over_time((count(satisfaction_ratio))[{{.window}}:1s])
    alerting:
      name: Counted
---
version: "prometheus/v1"
service: "others"
slos:
  - name: "silent"
    objective: 99.99
    sli:
      events:
        error_query: sum(rate(requests_total{code="500"}[{{.window}}]))
        total_query: sum(rate(requests_total[{{.window}}]))
    alerting:
      page_alert:
        disable: true
      ticket_alert:
        disable: true
  - name: "paced"
    objective: 99
    interval: {all: 1s, metadata: 2s}
    sli:
      events:
        error_query: sum(rate(requests_total{code="500"}[{{.window}}]))
        total_query: sum(rate(requests_total[{{.window}}]))
    alerting:
      name: Paced
"""

WINDOWS = """\
apiVersion: sloth.slok.dev/v1
kind: AlertWindows
metadata: {name: small, annotations: {fleetops/scrape-interval: 1s}}
spec:
  sloPeriod: 10m
  page:
    quick: {errorBudgetPercent: 20, shortWindow: 5s, longWindow: 30s}
    slow: {errorBudgetPercent: 40, shortWindow: 15s, longWindow: 80s}
  ticket:
    quick: {errorBudgetPercent: 50, shortWindow: 20s, longWindow: 2m}
    slow: {errorBudgetPercent: 60, shortWindow: 40s, longWindow: 4m}
"""


def counters(story: list[tuple[int, int, int]]) -> tuple[str, str]:
    """Values of the good and the bad counter over pieces of (seconds, good per second, bad per second)."""
    good = bad = 0
    texts: tuple[list[str], list[str]] = ([], [])
    for seconds, good_rate, bad_rate in story:
        for text, start, rate in ((texts[0], good, good_rate), (texts[1], bad, bad_rate)):
            text.append(f"{start + rate}+{rate}x{seconds - 1}")
        good, bad = good + good_rate * seconds, bad + bad_rate * seconds
    return " ".join(texts[0]), " ".join(texts[1])


stories = st.lists(
    st.tuples(st.integers(2, 120), st.sampled_from([0, 1, 40, 997]), st.sampled_from([0, 0, 1, 9, 130])),
    min_size=2,
    max_size=6,
)


@settings(max_examples=5, derandomize=True, suppress_health_check=list(HealthCheck), phases=(Phase.generate,))
@given(story=stories)
def test_plain_alerts_agree_with_sloths_at_every_evaluation(tmp_path: Path, story: list[tuple[int, int, int]]) -> None:
    story = [(60, 997, 0), *story, (30, 40, 130), (60, 997, 1)]
    good, bad = counters(story)
    compare(tmp_path, SPEC, {'requests_total{code="200"}': good, 'requests_total{code="500"}': bad})


def test_every_form_of_native_spec_alerts_when_sloth_does(tmp_path: Path) -> None:
    """Each alert fires and resolves in this scenario, in both rule sets at the same evaluations."""
    good, bad = counters([(40, 900, 0), (60, 400, 130), (110, 900, 0)])
    series = {
        'requests_total{code="200"}': good,
        'requests_total{code="500"}': bad,
        'satisfaction_ratio{client="a"}': "1x40 0.2x60 1x110",
        'satisfaction_ratio{client="b"}': "1x210",
    }
    slos = compare(tmp_path, EXAMPLES, series)
    alerts = [(slo.name, severity) for slo in slos for severity in ("page", "ticket") if slo.enabled(severity)]
    assert len(slos) == 6
    assert alerts == [
        ("labelled", "page"), ("labelled", "ticket"), ("raw", "page"), ("lines", "ticket"),
        ("counted", "page"), ("counted", "ticket"), ("paced", "page"), ("paced", "ticket"),
    ]  # fmt: skip


def test_labels_annotations_and_intervals_of_a_spec_are_in_the_rules(tmp_path: Path) -> None:
    (tmp_path / "spec.yml").write_text(EXAMPLES)
    (tmp_path / "windows.yml").write_text(WINDOWS)
    ((_, slos),) = read_all([tmp_path / "spec.yml"])
    rendered = yaml.safe_load(render_slos(slos, read_windows(tmp_path / "windows.yml"), "spec.yml"))["groups"]
    groups = {group["name"]: group for group in rendered}
    (page,) = (rule for rule in groups["slo-ours-labelled"]["rules"] if "alert" in rule)
    assert {"severity": "pageteam", "routing_key": "somebody", "sloth_severity": "page"}.items() <= page[
        "labels"
    ].items()
    (info,) = (rule for rule in groups["slo-ours-labelled:budget"]["rules"] if rule.get("record") == "sloth_slo_info")
    assert {"contact": "somebody", "owner": "somebody", "category": "availability"}.items() <= info["labels"].items()
    paced = [groups[f"slo-others-paced{part}"]["interval"] for part in ("", ":alerts", ":budget")]
    assert paced == ["1s", "1s", "2s"]
    assert not any("alert" in rule for name in groups if "silent" in name for rule in groups[name]["rules"])


def compare(folder: Path, spec: str, series: dict[str, str]) -> list[Slo]:
    """Load our rules and Sloth's for one spec, feed them the samples, and assert equal alerts at every second."""
    (folder / "spec.yml").write_text(spec)
    (folder / "windows.yml").write_text(WINDOWS)
    windows = read_windows(folder / "windows.yml")
    ((_, slos),) = read_all([folder / "spec.yml"], plain=True)
    assert slos[0].policy == PLAIN
    (folder / "ours.yml").write_text(render_slos(slos, windows, "spec.yml"))
    theirs = [group for slo in slos for group in sloth_shape.groups(slo, windows, ident=f"theirs-{slo.sloth_id}")]
    (folder / "theirs.yml").write_text(yaml.safe_dump({"groups": theirs}))
    until = sum(int(count) for count in re.findall(r"x(\d+)", next(iter(series.values())))) + 2
    checks = []
    for slo in slos:
        for severity in ("page", "ticket"):
            our, their = (
                f'(count(ALERTS{{sloth_id="{ident}",sloth_severity="{severity}",alertstate="firing"}}) or vector(0))'
                for ident in (slo.sloth_id, f"theirs-{slo.sloth_id}")
            )
            enabled = int(slo.enabled(severity))
            checks += [
                (f"sum_over_time(abs({our} - {their})[{until}s:1s])", 0),
                (f"max_over_time({their}[{until}s:1s])", enabled),
            ]
    groups = [group.name for slo in slos for group in generate(slo, windows)] + [group["name"] for group in theirs]
    test = {
        "rule_files": ["ours.yml", "theirs.yml"],
        "evaluation_interval": "1s",
        "group_eval_order": groups,
        "tests": [
            {
                "interval": "1s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {"eval_time": f"{until}s", "expr": expr, "exp_samples": [{"labels": "{}", "value": value}]}
                    for expr, value in checks
                ],
            }
        ],
    }
    (folder / "parity.test.yml").write_text(yaml.safe_dump(test, width=10_000))
    result = promtool.run(["test", "rules", folder / "parity.test.yml"])
    assert result.returncode == 0, result.stdout + result.stderr
    return slos
