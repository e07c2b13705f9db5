"""For any objective, windows and bad ratio, promtool agrees with the predicted detection and the counted budget.

Each example is a batch of cases in one promtool test: every case is an SLO with its own windows and counters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lab.slo import promtool
from lab.slo.burn_rate import first_detection
from lab.slo.model import AlertPolicy, EventsSli, Origin, Policy, Slo, Tier, Windows
from lab.slo.rendering.rule import Group
from lab.slo.rendering.rule_file import render
from lab.slo.rendering.rules import generate

pytestmark = pytest.mark.promtool
frugal = settings(max_examples=2, derandomize=True, suppress_health_check=list(HealthCheck), phases=(Phase.generate,))
WARM = 60  # seconds of good events before, longer than any page window
PER_SECOND = 1_000_000
PERIOD, SHORTEST, INTERVAL = 60, 4, 2


@cache
def is_exact() -> bool:
    """Before 3.0 a window includes the sample on its far edge, and an increase over whole seconds is exact."""
    result = promtool.run(["--version"])
    match = re.search(r"version (\d+)\.", result.stdout + result.stderr)
    assert match
    return int(match[1]) < 3


def slo_of(number: int, budget: Decimal, *, ticket: bool = False) -> Slo:
    query = f'sum(rate(requests_total{{case="{number}"%s}}[{{{{.window}}}}]))'
    return Slo(
        service="case", name=str(number), objective_percent=100 - 100 * budget,
        sli=EventsSli(query % ',code="500"', query % ""), description="", labels={}, alert_name=f"Case{number}",
        alert_labels={}, alert_annotations={},
        alerts={"page": AlertPolicy(), "ticket": AlertPolicy(enabled=ticket)}, policy=Policy(),
        origin=Origin("", 0, ""), origins={}, spec_version="test",
    )  # fmt: skip


def windows_of(*pages: tuple[int, int, float]) -> Windows:
    quick, slow = (Tier("page", speed, 0.1, *tier) for speed, tier in zip(("quick", "slow"), pages, strict=True))
    tickets = tuple(Tier("ticket", speed, 0.1, 6, 50, 1.0) for speed in ("quick", "slow"))
    return Windows("test", PERIOD, 1, 1, (quick, slow, *tickets))


def observe(
    folder: Path, groups: list[Group], series: dict[str, str], every: int, checks: list[tuple[int, str, list[Any]]]
) -> None:
    (folder / "rules.yml").write_text(render(groups))
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": f"{every}s",
        "group_eval_order": [group.name for group in groups],
        "tests": [
            {
                "interval": "1s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {"eval_time": f"{at}s", "expr": expr, "exp_samples": samples} for at, expr, samples in checks
                ],
            }
        ],
    }
    (folder / "case.test.yml").write_text(yaml.safe_dump(test, width=10_000))
    result = promtool.run(["test", "rules", folder / "case.test.yml"])
    assert result.returncode == 0, result.stdout + result.stderr


@dataclass(frozen=True)
class Burn:
    """Two page tiers, a budget, and a constant bad ratio that trips at least the slow-burn tier."""

    windows: Windows
    budget: Decimal
    bad_ratio: float


@st.composite
def burns(draw: st.DrawFn) -> Burn:
    short, long = draw(st.integers(4, 8)), draw(st.integers(12, 30))
    later = draw(st.integers(long + 1, 55))
    slow = draw(st.integers(10, 40)) / 10
    quick = slow * draw(st.integers(12, 40)) / 10
    budget = draw(st.integers(1, 900)) / 10_000 / quick  # a threshold of up to 9 % bad events
    windows = windows_of((short, long, quick), (draw(st.integers(short, later - 1)), later, slow))
    rounded = Decimal(f"{budget:.6f}") + Decimal("0.000001")
    lowest = slow * float(rounded) * 1.05
    return Burn(windows, rounded, round(lowest + (1 - lowest) * draw(st.floats(0.0, 1.0)) ** 3, 4))


@frugal
@given(batch=st.lists(burns(), min_size=10, max_size=10))
def test_detection_is_within_one_evaluation_of_the_prediction(tmp_path: Path, batch: list[Burn]) -> None:
    groups: list[Group] = []
    series, checks = {}, []
    for number, burn in enumerate(batch):
        slo = slo_of(number, burn.budget)
        detection = first_detection(burn.windows.of("page"), slo.budget_ratio, [(WARM, 0.0), (1, burn.bad_ratio)])
        assert detection is not None
        predicted = detection[0]
        groups += generate(slo, burn.windows)
        bad = round(burn.bad_ratio * PER_SECOND)
        good, left = PER_SECOND * WARM, int(predicted) + 3 - WARM
        rest = PER_SECOND - bad
        series[f'requests_total{{case="{number}",code="200"}}'] = f"0+{PER_SECOND}x{WARM} {good + rest}+{rest}x{left}"
        series[f'requests_total{{case="{number}",code="500"}}'] = f"0+0x{WARM} {bad}+{bad}x{left}"
        firing = f'count(ALERTS{{alertname="Case{number}",alertstate="firing"}})'
        checks += [
            (int(predicted) - 1, firing, []),
            (int(predicted) + 1, firing, [{"labels": "{}", "value": 1}]),
        ]
    observe(tmp_path, groups, series, 1, checks)


@dataclass(frozen=True)
class Piece:
    """A duration with constant requests and bad requests per second; None while the service is down."""

    seconds: int
    requests: int | None
    bad: int = 0


@st.composite
def scenarios(draw: st.DrawFn) -> list[Piece]:
    """At most a period long, with idle time between pieces and at the end, so that every event counts in full."""
    pieces = [Piece(draw(st.integers(2, 2 * PERIOD)), draw(st.sampled_from([0, None]))), Piece(2, 0)]
    for _ in range(draw(st.integers(1, 4))):
        requests = draw(st.sampled_from([None, 0, 1, 40, 997, 20_000]))
        bad = round((requests or 0) * draw(st.sampled_from([0, 0.001, 0.02, 0.5, 1])))
        pieces += [Piece(draw(st.integers(2, 10)), requests, bad), Piece(2, 0)]
    return [*pieces, Piece(6, 0)]


def samples(pieces: list[Piece]) -> list[tuple[int, int] | None]:
    """Cumulative (requests, bad requests) at each second; None while the service is down."""
    counted: list[tuple[int, int] | None] = [None if pieces[0].requests is None else (0, 0)]
    requests = bad = 0
    for piece in pieces:
        for _ in range(piece.seconds):
            requests, bad = requests + (piece.requests or 0), bad + piece.bad
            counted.append(None if piece.requests is None else (requests, bad))
    return counted


def brute_force(counted: list[tuple[int, int] | None], budget: float, until: int) -> float | None:
    """The remaining budget at `until`, by counting events and the evaluations with data; None without any data."""
    evaluations = [at for at in range(0, until + 1, INTERVAL) if at >= until - PERIOD]
    windows = {at: counted[max(0, at - SHORTEST) : at + 1] for at in evaluations}
    with_data = [at for at, window in windows.items() if sum(sample is not None for sample in window) > 1]
    if not with_data:
        return None
    existing = [sample for sample in counted[max(0, until - PERIOD - SHORTEST) : until + 1] if sample is not None]
    requests, bad = (existing[-1][side] - existing[0][side] for side in (0, 1))
    fraction = min(1.0, len(with_data) / (PERIOD / INTERVAL))
    return 1 - (bad / requests if requests else 0.0) * fraction / budget


@frugal
@given(batch=st.lists(scenarios(), min_size=10, max_size=10))
def test_the_remaining_budget_equals_brute_force_and_is_never_nan(tmp_path: Path, batch: list[list[Piece]]) -> None:
    groups: list[Group] = []
    series, checks = {}, []
    windows, budget = windows_of((SHORTEST, 20, 4.0), (10, 40, 2.0)), Decimal("0.01")
    for number, pieces in enumerate(batch):
        slo = slo_of(number, budget, ticket=True)
        groups += generate(slo, windows)
        counted = samples(pieces)
        until = (len(counted) - 1) // INTERVAL * INTERVAL
        for side, code in ((0, "200"), (1, "500")):
            values = [
                "_" if sample is None else str(sample[1] if side else sample[0] - sample[1]) for sample in counted
            ]
            series[f'requests_total{{case="{number}",code="{code}"}}'] = " ".join(values)
        remaining = f'slo:period_error_budget_remaining:ratio{{sloth_id="case-{number}"}}'
        expected = brute_force(counted, float(budget), until)
        assert expected is not None
        # From 3.0 a window of four samples has three increases for four seconds, so one second's events may count a
        # third more or less.
        near = 1e-6 if is_exact() else 0.35 * (1 - expected) + 1e-6
        checks += [
            (until, f"count(abs({remaining} - {expected!r}) <= {near!r})", [{"labels": "{}", "value": 1}]),
            (until, f"count_over_time(({remaining} != {remaining})[{until}s:2s])", []),
        ]
    observe(tmp_path, groups, series, INTERVAL, checks)
