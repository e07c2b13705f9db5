"""The replay of alerts from counts agrees with calculation by hand and with Prometheus itself."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import pytest
import yaml

from lab.paths import RULES
from lab.slo import promtool, replay
from lab.slo.burn_rate import detection_seconds, reset_seconds
from lab.slo.catalogue import LAB, find_slo, load_windows
from lab.slo.model import PAGE, TICKET
from lab.slo.rendering.rules import group_name
from lab.slo.replay import Counts, Span

WINDOWS = load_windows(LAB)
SLO = find_slo("feed-latency-p99")
QUICK, SLOW = WINDOWS.of(PAGE)
GROUP = group_name(SLO)


def steady(seconds: int, bad_from: int, bad_until: int, bad: int, total: int = 100) -> Counts:
    """`seconds` with `total` events each, of which `bad` are bad in [bad_from, bad_until)."""
    return Counts([total] * seconds, [bad if bad_from <= second < bad_until else 0 for second in range(seconds)])


def test_a_window_contains_the_increments_between_its_samples() -> None:
    counts = Counts([10, 20, 30, 40, 50, 60], [0, 0, 1, 2, 3, 4])
    assert counts.window(5, 4) == pytest.approx((9, 150, 4 / 3))
    assert counts.window(5, 100) == pytest.approx((10, 210, 6.5 / 6))  # half a scrape before the first
    assert counts.window(0, 4) == pytest.approx((0, 10, 1.5))
    assert counts.window(5, 1) is None


def test_events_of_a_missed_scrape_are_counted_at_the_next_one() -> None:
    counts = Counts([10, None, 30, 10, 10], [1, None, 3, 0, 0])
    # The window's first scrape is the one after the gap; the events it brought belong to the time before the window.
    assert counts.window(3, 3) == pytest.approx((0, 10, 1.5))
    assert counts.window(3, 4) == pytest.approx((3, 40, 4 / 3))
    assert counts.sums(-1, 4) == (4, 60) and counts.sums(0, 2) == (3, 30)


@pytest.mark.parametrize(
    ("total", "bad", "message"),
    [([1, 2], [0], "total has 2"), ([1, None], [0, 0], "count 1"), ([1, 1], [None, 0], "0")],
)
def test_counts_that_do_not_match_are_refused(total: list[float | None], bad: list[float | None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Counts(total, bad)


def test_missing_history_counts_as_good_in_the_long_window_only() -> None:
    counts = steady(30, 0, 30, 50)
    assert replay.ratio(counts, SLO, WINDOWS, 60, 15) == pytest.approx(0.5 * 15 / 60)
    assert replay.ratio(counts, SLO, WINDOWS, 5, 15) == pytest.approx(0.5)
    assert replay.ratio(counts, SLO, WINDOWS, 360, 0) == pytest.approx(0.5 / 360)


def test_idle_time_has_no_ratio_and_a_ratio_is_never_above_one() -> None:
    assert replay.ratios(Counts([0] * 5, [0] * 5), SLO, WINDOWS, 5) == [None] * 5
    assert replay.ratio(Counts([1] * 5, [2] * 5), SLO, WINDOWS, 5, 4) == 1.0
    assert replay.ratio(Counts([0] * 5, [2] * 5), SLO, WINDOWS, 5, 4) == 1.0


def test_two_bad_events_alert_nobody_and_three_do() -> None:
    for bad, fires in ((2, False), (3, True)):
        events = [1] * 200
        counts = Counts(events, [1 if 190 <= second < 190 + bad else 0 for second in range(200)])
        slo = find_slo("feed-availability")
        assert any(replay.holds(counts, slo, WINDOWS, QUICK)) is fires


@pytest.mark.parametrize("bad", [20, 50, 97])
def test_a_step_fires_and_clears_when_the_burn_rate_arithmetic_predicts(bad: int) -> None:
    """The closed formula ignores scrapes and evaluations, so the times differ by up to one of each."""
    onset, end = 400, 520
    (span,) = replay.spans(steady(700, onset, end, bad), SLO, WINDOWS, PAGE)
    after, clears = detection_seconds(QUICK, 0.01, bad / 100), reset_seconds(SLOW, 0.01, bad / 100)
    assert after is not None and clears is not None
    assert span.tier == "page.quick" and abs(span.start - onset - after) <= 2
    assert span.end is not None and abs(span.end - end - clears) <= 2


def test_an_alert_that_still_fires_has_no_end() -> None:
    (span,) = replay.spans(steady(300, 200, 300, 50), SLO, WINDOWS, PAGE)
    assert span.end is None


def case(counts: Counts, total: list[int], bad: list[int], severity: str, spans: list[Span]) -> dict[str, object]:
    """A promtool test: the gateway's counters, and the seconds at which the alert fires or does not."""
    labels = 'job="gateway",http_route="/v1/feed/{user_id}",http_response_status_code="200"'
    fast = [all_of_them - slow for all_of_them, slow in zip(total, bad, strict=True)]
    values = {f"count{{{labels}}}": total, f'bucket{{{labels},le="0.4"}}': fast}
    firing = f'count(ALERTS{{alertname="{SLO.alert_name}",severity="{severity}",alertstate="firing"}})'
    moments = [(at, True) for span in spans for at in (span.start + 3, (span.end or counts.size) - 4)]
    moments += [(at, False) for span in spans for at in (span.start - 4, *([span.end + 3] if span.end else []))]
    return {
        "interval": "1s",
        "input_series": [
            {
                "series": f"http_server_request_duration_seconds_{name}",
                "values": " ".join(map(str, [1000, *(1000 + value for value in accumulate(counted))])),
            }
            for name, counted in values.items()
        ],
        "promql_expr_test": [
            {"expr": firing, "eval_time": f"{at:.0f}s", "exp_samples": [{"value": 1}] if fires else []}
            for at, fires in moments
        ],
    }


@pytest.mark.promtool
@pytest.mark.parametrize(
    ("severity", "history", "bad", "seconds"),
    [(PAGE, 40, 50, 60), (PAGE, 30, 10, 300), (TICKET, 40, 85, 150)],
)
def test_prometheus_fires_and_clears_when_the_replay_does(
    tmp_path: Path, severity: str, history: int, bad: int, seconds: int
) -> None:
    total = [90 + second % 20 for second in range(history + seconds + (60 if severity == PAGE else 150))]
    failed = [bad if history <= second < history + seconds else 0 for second in range(len(total))]
    counts = Counts(total, failed, 1.0)  # the first counter stands at second 0
    spans = replay.spans(counts, SLO, WINDOWS, severity)
    assert spans
    rules = yaml.safe_load((RULES / "lab" / "feed.rules.yml").read_text())
    wanted = {PAGE: [GROUP], TICKET: [GROUP, f"{GROUP}:ticket"]}[severity]
    (tmp_path / "r.yml").write_text(yaml.safe_dump({"groups": [g for g in rules["groups"] if g["name"] in wanted]}))
    proof = {"rule_files": ["r.yml"], "evaluation_interval": "1s"}
    (tmp_path / "t.yml").write_text(yaml.safe_dump(proof | {"tests": [case(counts, total, failed, severity, spans)]}))
    done = promtool.run(["test", "rules", tmp_path / "t.yml"])
    assert done.returncode == 0, done.stdout + done.stderr
