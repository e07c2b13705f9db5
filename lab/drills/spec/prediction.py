"""Predicts when the alert reaches the responder, from the drill, the SLO, the windows and the pipeline."""

from __future__ import annotations

from dataclasses import dataclass

from lab.drills.schema.record import Prediction
from lab.drills.spec import alerts
from lab.drills.spec.detection import BurnRate
from lab.drills.spec.drill import Drill, Effect
from lab.errors import UsageError
from lab.slo.burn_rate import first_detection
from lab.slo.durations import format_duration
from lab.slo.model import Slo, Tier, Windows


@dataclass(frozen=True)
class Pipeline:
    """The delays between a bad event and the pager: scrape, rule evaluation, grouping."""

    scrape_interval_seconds: float
    evaluation_interval_seconds: float
    group_wait_seconds: float

    @property
    def allowance_seconds(self) -> float:
        """One scrape, two evaluations, one group wait."""
        return self.scrape_interval_seconds + 2 * self.evaluation_interval_seconds + self.group_wait_seconds


def predict(drill: Drill, slo: Slo | None, windows: Windows, pipeline: Pipeline) -> Prediction | None:
    """The prediction of a drill's alert; None for a control.

    Raises UsageError when no tier of the expected alert can detect the drill's effect.
    """
    if drill.detection_model is None or drill.expect.alert is None:
        return None
    effect, tier = None, None
    if isinstance(drill.detection_model, BurnRate):
        if slo is None or drill.effect is None:
            raise UsageError(f"{drill.id}: a burn rate needs an SLO at stake")
        effect = drill.effect
        seconds, tier, arithmetic = _burn(drill, effect, slo, windows)
    else:
        alert = alerts.find(drill.expect.alert, drill.expect.severity)
        seconds, arithmetic = drill.detection_model.detection(alert.hold_seconds if alert else 0.0)
    return Prediction(
        alert=drill.expect.alert,
        severity=drill.expect.severity,
        detection_seconds=round(seconds, 2),
        allowance_seconds=round(pipeline.allowance_seconds, 2),
        arithmetic=[*arithmetic, *_allowance(pipeline, drill.limits.detection_ratio)],
        tolerance_ratio=drill.limits.detection_ratio,
        bound=drill.detection_model.bound,
        tier=tier.name if tier else None,
        bad_ratio=round(effect.profile[-1][1], 4) if effect else None,
        effect_seconds=round(_effect_seconds(effect), 2) if effect else None,
    )


def _effect_seconds(effect: Effect) -> float:
    """Seconds after the injection from which on the bad ratio of the profile's last step is counted."""
    return sum(seconds for seconds, _ in effect.profile[:-1]) + effect.answered_after_seconds


def _burn(drill: Drill, effect: Effect, slo: Slo, windows: Windows) -> tuple[float, Tier, list[str]]:
    tiers = windows.of(drill.expect.severity)
    first = first_detection(tiers, slo.budget_ratio, effect.profile)
    if first is None:
        raise UsageError(f"{drill.id}: no {drill.expect.severity} tier of {slo.sloth_id} can detect {effect.profile}")
    fires, tier = first
    at = fires + effect.answered_after_seconds
    return at, tier, _arithmetic(effect, slo, tier, fires, at)


def _arithmetic(effect: Effect, slo: Slo, tier: Tier, fires: float, at: float) -> list[str]:
    b, k, long = slo.budget_ratio, tier.factor, tier.long_seconds
    final = effect.profile[-1][1]
    window = format_duration(long)
    steps = [
        f"{ratio:g}" + (f" for {seconds:g} s" if seconds else " from then on") for seconds, ratio in effect.profile
    ]
    needed = k * b * long
    lines = [
        f"budget ratio b = 1 - {slo.objective_ratio:g} = {b:g}",
        f"bad ratio after injection: {', '.join(steps)}",
        f"tier {tier.name}: {k:g}x over {window} and {format_duration(tier.short_seconds)}",
        f"so the {window} window must hold {k:g} x {b:g} x {long} s = {needed:.2f} bad seconds",
    ]
    if final > k * b:
        lines.append(
            f"at a constant {final:g}: L k b / e = {long} x {k:g} x {b:g} / {final:g} = {needed / final:.1f} s"
        )
    if len(effect.profile) > 1:
        lines.append(f"with the ramp: {fires:.1f} s after its first step")
    counted = effect.answered_after_seconds
    return [*lines, f"a bad request is counted when it is answered, {counted:g} s after it arrived: {at:.1f} s"]


def _allowance(pipeline: Pipeline, tolerance_ratio: float) -> list[str]:
    allowance = (
        f"allowance: scrape {pipeline.scrape_interval_seconds:g} s"
        f" + 2 evaluations of {pipeline.evaluation_interval_seconds:g} s"
        f" + group wait {pipeline.group_wait_seconds:g} s = {pipeline.allowance_seconds:g} s"
    )
    if tolerance_ratio == 1:
        return [allowance]
    return [allowance, f"its inputs are random: up to {tolerance_ratio:g} times the prediction is in time"]
