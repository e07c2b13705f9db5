"""Without guards, alerts fire and resolve at the evaluations at which Sloth's do.

Sloth's rules are written here from its documented shape: each window's ratio of errors over total, and two pairs of
windows an alert. Both sets are loaded side by side, fed the same samples, and compared at every evaluation.
"""

# ruff: noqa: E501 - rules and tests read best with one a line
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lab.slo import promtool
from lab.slo.durations import format_duration
from lab.slo.generate import PLAIN, read_all, render_slos
from lab.slo.model import Windows
from lab.slo.windows import read_windows

pytestmark = pytest.mark.promtool

ERRORS = 'sum(rate(requests_total{code="500"}[%s]))'
TOTAL = "sum(rate(requests_total[%s]))"

SPEC = """\
version: prometheus/v1
service: ours
slos:
  - name: availability
    objective: 99
    sli:
      events:
        error_query: %s
        total_query: %s
    alerting:
      name: Ours
""" % (ERRORS.replace("%s", "{{.window}}"), TOTAL.replace("%s", "{{.window}}"))  # noqa: UP031 - the text holds braces

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


def sloths_rules(windows: Windows) -> str:
    """What Sloth generates of the same SLO under another name, without its metadata."""
    identity = '{sloth_id="theirs"}'
    lines = ["groups:", "  - name: theirs", "    rules:"]
    for seconds in windows.all_seconds:
        window = format_duration(seconds)
        lines += [
            f"      - record: slo:sli_error:ratio_rate{window}",
            f"        expr: ({ERRORS % window}) / ({TOTAL % window})",
            f"        labels: {{sloth_id: theirs, sloth_window: {window}}}",
        ]
    for severity in ("page", "ticket"):
        pairs = [
            " and ignoring (sloth_window) ".join(
                f"(slo:sli_error:ratio_rate{format_duration(seconds)}{identity} > ({tier.factor:g} * {(100 - 99.0) / 100}))"
                for seconds in (tier.short_seconds, tier.long_seconds)
            )
            for tier in windows.of(severity)
        ]
        lines += [
            "      - alert: Theirs",
            f"        expr: '({pairs[0]}) or ignoring (sloth_window) ({pairs[1]})'",
            f"        labels: {{sloth_severity: {severity}}}",
        ]
    return "\n".join(lines) + "\n"


def counters(story: list[tuple[int, int, int]]) -> tuple[str, str]:
    """Values of the good and the bad counter over pieces of (seconds, good a second, bad a second)."""
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


@settings(
    max_examples=5, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), phases=(Phase.generate,)
)
@given(story=stories)
def test_plain_alerts_agree_with_sloths_at_every_evaluation(tmp_path: Path, story: list[tuple[int, int, int]]) -> None:
    story = [(60, 997, 0), *story, (30, 40, 130), (60, 997, 1)]
    (tmp_path / "spec.yml").write_text(SPEC)
    (tmp_path / "windows.yml").write_text(WINDOWS)
    windows = read_windows(tmp_path / "windows.yml")
    ((_, slos),) = read_all([tmp_path / "spec.yml"], plain=True)
    assert slos[0].policy == PLAIN
    (tmp_path / "ours.yml").write_text(render_slos(slos, windows, "spec.yml"))
    (tmp_path / "theirs.yml").write_text(sloths_rules(windows))
    good, bad = counters(story)
    until = sum(seconds for seconds, _, _ in story)
    checks = []
    for severity in ("page", "ticket"):
        ours, theirs = (
            f'(count(ALERTS{{alertname="{name}",sloth_severity="{severity}",alertstate="firing"}}) or vector(0))'
            for name in ("Ours", "Theirs")
        )
        for expr, value in (
            (f"sum_over_time(abs({ours} - {theirs})[{until}s:1s])", 0),
            (f"max_over_time({theirs}[{until}s:1s])", 1),
        ):
            samples = f"[{{labels: '{{}}', value: {value}}}]"
            checks.append(f"      - {{eval_time: {until}s, expr: '{expr}', exp_samples: {samples}}}")
    (tmp_path / "parity.test.yml").write_text(
        "rule_files: [ours.yml, theirs.yml]\nevaluation_interval: 1s\ntests:\n  - interval: 1s\n    input_series:\n"
        f"      - {{series: 'requests_total{{code=\"200\"}}', values: '{good}'}}\n"
        f"      - {{series: 'requests_total{{code=\"500\"}}', values: '{bad}'}}\n"
        "    promql_expr_test:\n" + "\n".join(checks) + "\n"
    )
    result = promtool.run(["test", "rules", tmp_path / "parity.test.yml"])
    assert result.returncode == 0, result.stdout + result.stderr
