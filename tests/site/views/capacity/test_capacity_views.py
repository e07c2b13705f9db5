"""The views of the measured capacity, on two made-up sweeps whose truth is known."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from made_sweep import HOST, simulated, whole_sweep
from support import text as text_of

from lab.capacity import figures
from lab.capacity.bursts import measured, predicted
from lab.capacity.configurations import CONFIGURATIONS
from lab.capacity.documents import Burst, RunUpRow, Sweep
from lab.capacity.run_up import run_ups
from lab.errors import LabError
from lab.site.sources.context import SiteContext
from lab.site.views.capacity import curves, limits, models, plans

pytestmark = pytest.mark.batch


def text(markup: object) -> str:
    """The text of some markup, with single spaces."""
    return " ".join(text_of(str(markup)).split())


def store(context: SiteContext, sweep: Sweep, repeat: Sweep | None = None) -> SiteContext:
    """The context, with these figures as the committed ones."""
    file = context.docs / "figures" / "capacity.json"
    file.unlink(missing_ok=True)
    figures.write(msgspec.structs.replace(figures.of(sweep), repeat=repeat), file)
    return context


@pytest.fixture
def measured_context(context: SiteContext) -> SiteContext:
    """Two sweeps of one system."""
    return store(context, whole_sweep(1), whole_sweep(2, started_at="2026-01-02T00:00:00Z"))


def test_each_configuration_has_its_limit_its_bottleneck_and_its_headroom(measured_context: SiteContext) -> None:
    shown = text(limits.capacity_table(measured_context))
    for configuration in CONFIGURATIONS:
        found = measured_context.capacity.sweep.limits[configuration.name].capacity.half
        assert configuration.title in shown
        assert f"{found.value:.0f}/s {found.low:.0f} to {found.high:.0f}" in shown
    assert "feed-latency-p99" in shown
    assert "gateway interpreter 8" in shown
    peak = measured_context.capacity.policy.demand.peak_per_second
    default = measured_context.capacity.sweep.default.capacity.half
    assert f"{1 - peak / default.value:.0%}".replace("%", " %") in shown


def test_sentences_state_the_default_and_what_moves_it(measured_context: SiteContext) -> None:
    assert re.fullmatch(r"2[6-9]\d/s \(\d+ to \d+\)", limits.capacity_of(measured_context))
    assert limits.breaks_first(measured_context) == "feed-latency-p99"
    assert limits.bottleneck(measured_context).startswith("gateway interpreter, 8")
    assert limits.moved(measured_context, "feed-1").endswith("beyond the noise")
    assert limits.moved(measured_context, "user-3").endswith("no more than the noise")
    with pytest.raises(LabError, match="no configuration 'feed-9' was measured; there are default, "):
        limits.moved(measured_context, "feed-9")


def test_the_two_sweeps_are_compared_and_one_of_another_system_differs(measured_context: SiteContext) -> None:
    shown = text(limits.agreement(measured_context))
    assert shown.count("agree") >= len(CONFIGURATIONS) - 1
    slower = simulated(3, limits={one.name: 90.0 for one in CONFIGURATIONS}, blocks=3, wander=0.0)
    other = store(SiteContext(docs=measured_context.docs), whole_sweep(1), slower)
    assert text(limits.agreement(other)).count("differ") == len(CONFIGURATIONS)
    alone = store(SiteContext(docs=measured_context.docs), whole_sweep(1))
    with pytest.raises(LabError, match="holds one sweep only; run `make capacity REPEAT=1`"):
        limits.agreement(alone)


def test_pictures_hold_every_step_of_the_curve_in_their_data(measured_context: SiteContext) -> None:
    steps = measured_context.capacity.sweep.curve
    for view in (curves.goodput_curve, curves.latency_curve, curves.utilisation_curve):
        shown = view(measured_context)
        assert shown.count("<svg") >= 2
        for step in steps:
            assert f"{step.offered_per_second:.0f}/s" in text(shown)
    assert "p99 within" in text(curves.latency_curve(measured_context))
    assert text(limits.sensitivity(measured_context)).count("beyond the noise") == 2


def test_the_scalability_fit_says_how_it_fares_on_steps_it_has_not_seen(measured_context: SiteContext) -> None:
    shown = text(models.scalability(measured_context))
    held = measured_context.capacity.sweep.held_out
    assert f"The {len(held)} steps at the limit that the fit has not seen are predicted within" in shown
    assert shown.count("held out") >= len(held)
    assert "twice the most measured" in shown
    assert text(models.little_check(measured_context)).count("holds") == len(measured_context.capacity.sweep.curve)


def test_the_cache_model_stands_beside_the_measured_hit_ratio(measured_context: SiteContext) -> None:
    shown = text(models.cache_curve(measured_context))
    rows = re.findall(r"(2 min 30 s|5 min|10 min) 95 % (9\d\.\d+) % 7\.2/s", shown)
    assert [ttl for ttl, _ in rows] == ["2 min 30 s", "5 min", "10 min"], shown
    assert sorted(rows, key=lambda row: float(row[1])) == rows


@pytest.mark.parametrize(("factor", "loses"), [(1.5, False), (5.0, True)])
def test_a_burst_is_predicted_by_what_is_served_and_what_fits(factor: float, loses: bool) -> None:
    burst = next(one for one in whole_sweep(1).bursts if one.factor == factor)
    model, found = predicted(burst, 350.0, 160), measured(burst)
    assert model.in_flight == pytest.approx(found.in_flight, abs=2)
    assert found.seconds is not None
    assert model.seconds == pytest.approx(found.seconds, abs=1.5)
    assert (model.lost > 0) is loses


def test_a_burst_that_does_not_drain_says_so(measured_context: SiteContext) -> None:
    stuck = Burst(factor=5, base_per_second=180, seconds=10, at="", arrivals=[900] * 10 + [180] * 20,
                  good=[350] * 30, in_flight=[160] * 24 + [50, 40, 30, 20, 10, 160])  # fmt: skip
    assert measured(stuck).seconds is None
    assert "not in this time" not in text(models.burst_curves(measured_context))
    sweep = msgspec.structs.replace(whole_sweep(1), bursts=[stuck])
    assert "not in this time" in text(models.burst_curves(store(SiteContext(docs=measured_context.docs), sweep)))


def test_plan_and_growth_are_those_of_the_policy(measured_context: SiteContext) -> None:
    demand = measured_context.capacity.policy.demand
    shown = text(plans.capacity_plan(measured_context))
    assert f"--feed {demand.feed_per_second:g} --user {demand.user_per_second:g}" in shown
    assert "one more, to lose" in shown
    growth = text(plans.growth_forecast(measured_context))
    assert growth.count("n-1") == 2
    assert "bursts of 1.5 times the peak" in growth


def rows_of_run_ups() -> dict[str, RunUpRow]:
    """A row for each run-up, in which each ticket fires a minute before the first of its SLOs burns."""
    return {
        one.name: RunUpRow(
            name=one.name, at="2026-01-01T00:00:00Z", seconds=200.0, levels=[(0.0, one.levels[0]), (50.0, 1.0)],
            fired=dict.fromkeys(one.precedes, 60.0), burning={} if one.name == "memory" else
            {slo: 120.0 for slos in one.precedes.values() for slo in slos},
        )
        for one in run_ups()
    }  # fmt: skip


def test_each_ticket_has_its_lead_time(context: SiteContext) -> None:
    file = context.docs / "figures" / "run_ups.json"
    rows = rows_of_run_ups()
    figures.add_run_ups(HOST, list(rows.values()), file)
    shown = text(plans.lead_times(context))
    assert shown.count("1 min") + shown.count("60 s") == sum(len(one.precedes) for one in run_ups()) - 1
    assert "not up to 1 of the memory" in shown
    late = msgspec.structs.replace(rows["load"], burning={"feed-latency-p99": 50.0})
    figures.add_run_ups(HOST, [late], file)
    with pytest.raises(LabError, match=r"in 'load' an SLO burned 10 s before its ticket fired"):
        plans.lead_times(context)
    silent = msgspec.structs.replace(rows["load"], fired={})
    figures.add_run_ups(HOST, [silent], file)
    with pytest.raises(LabError, match=r"CpuHeadroomLow did not fire in the run-up 'load'"):
        plans.lead_times(context)


def test_a_page_without_a_sweep_names_the_command(context: SiteContext, tmp_path: Path) -> None:
    (context.docs / "figures" / "capacity.json").unlink(missing_ok=True)
    with pytest.raises(LabError, match="does not exist; run `make capacity` to measure it"):
        limits.capacity_table(context)
