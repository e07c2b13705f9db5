"""When must the page come? From the fault's parameters, the SLO and the windows; numbers in, numbers out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from lab.drills.spec import Drill
from lab.slo.burn_rate import first_detection
from lab.slo.durations import format_duration
from lab.slo.model import PAGE, Slo, Windows


@dataclass(frozen=True)
class Pipeline:
    """What stands between a bad sample and the pager: scrape, rule evaluation, grouping."""

    scrape_interval_seconds: float
    evaluation_interval_seconds: float
    group_wait_seconds: float

    @property
    def allowance_seconds(self) -> float:
        """One scrape, two evaluations, one group wait."""
        return self.scrape_interval_seconds + 2 * self.evaluation_interval_seconds + self.group_wait_seconds


@dataclass(frozen=True)
class Prediction:
    """The instant (seconds after the fault began) at which the alert fires, and what the pipeline may add."""

    alert: str
    detection_seconds: float
    allowance_seconds: float
    arithmetic: list[str]

    @property
    def latest_seconds(self) -> float:
        """Later than this, detection is too slow."""
        return self.detection_seconds + self.allowance_seconds

    def knowing(self, facts: list[str]) -> Prediction:
        """The same prediction with more said about it."""
        return replace(self, arithmetic=[*self.arithmetic, *facts])

    def as_json(self) -> dict[str, Any]:
        """As the record holds it."""
        return {
            **asdict(self),
            "detection_seconds": round(self.detection_seconds, 2),
            "allowance_seconds": round(self.allowance_seconds, 2),
        }


def predict(drill: Drill, slo: Slo | None, windows: Windows, pipeline: Pipeline) -> Prediction | None:
    """None for a control, and for a fault whose effect no page tier can see."""
    if drill.effect is None or drill.expect.page is None or slo is None:
        return None
    bad_ratio = drill.effect.bad_ratio
    profile = [(seconds, reached * bad_ratio) for seconds, reached in drill.fault.profile()]
    found = first_detection(windows.of(PAGE), slo.budget_ratio, profile)
    if found is None:
        return None
    fires, tier = found
    counted = drill.effect.answered_after_seconds
    at = fires + counted
    b, k, long = slo.budget_ratio, tier.factor, tier.long_seconds
    final = profile[-1][1]
    window = format_duration(long)
    pieces = [f"{ratio:g}" + (f" for {seconds:g} s" if seconds else " from then on") for seconds, ratio in profile]
    needed = k * b * long
    arithmetic = [
        f"budget ratio b = 1 - {slo.objective_ratio:g} = {b:g}",
        f"bad ratio after injection: {', '.join(pieces)}",
        f"tier {tier.name}: {k:g}x over {window} and {format_duration(tier.short_seconds)}",
        f"so the {window} window must hold {k:g} x {b:g} x {long} s = {needed:.2f} bad seconds",
        f"at a constant {final:g}: L k b / e = {long} x {k:g} x {b:g} / {final:g} = {needed / final:.1f} s",
        f"with the ramp: {fires:.1f} s after its first step",
        f"a bad request is counted when it is answered, {counted:g} s after it came: {at:.1f} s",
        _allowance(pipeline),
    ]
    return Prediction(drill.expect.page, at, pipeline.allowance_seconds, arithmetic)


def _allowance(pipeline: Pipeline) -> str:
    return (
        f"allowance: scrape {pipeline.scrape_interval_seconds:g} s"
        f" + 2 evaluations of {pipeline.evaluation_interval_seconds:g} s"
        f" + group wait {pipeline.group_wait_seconds:g} s = {pipeline.allowance_seconds:g} s"
    )
