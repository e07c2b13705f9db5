"""Detection models: when an alert fires after the injection, and the arithmetic for it. No clock, no network.

A drill file names a kind and its numbers; `read` returns the model. Each computes the seconds from the injection until
the alert's condition has held long enough. The pipeline's allowance is the same for all (prediction.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.drills.schema.parameters import nearest, number, text
from lab.drills.schema.parameters import read as read_parameters
from lab.oncall.ticker import PERIOD_SECONDS
from lab.slo.durations import format_duration
from lab.slo.specs.document import Node


@dataclass(frozen=True)
class BurnRate:
    """The burn-rate arithmetic of the SLO at stake, from the drill's effect on it; it has no parameters."""

    kind: ClassVar[str] = "burn-rate"
    bound: ClassVar[bool] = False


@dataclass(frozen=True)
class Condition:
    """The rule's condition becomes true at a known time, and must then hold for the rule's `for`."""

    kind: ClassVar[str] = "condition"
    bound: ClassVar[bool] = False
    true_after_seconds: float = number(0, 300, "When the rule's expression first holds.")
    because: str = text("The reason, in one line.")

    def detection(self, hold_seconds: float) -> tuple[float, list[str]]:
        """Seconds from the injection until it fires, and the arithmetic line by line."""
        return self.true_after_seconds + hold_seconds, [
            f"the condition holds {self.true_after_seconds:g} s after the fault: {self.because}",
            _held(hold_seconds, self.true_after_seconds + hold_seconds),
        ]


@dataclass(frozen=True)
class WindowMean:
    """The mean over the rule's window moves linearly from one level to another and crosses a threshold."""

    kind: ClassVar[str] = "window-mean"
    bound: ClassVar[bool] = False
    window_seconds: float = number(1, 3600, "The window of the rule's rate().")
    before: float = number(-1e12, 1e12, "The level before the fault.")
    after: float = number(-1e12, 1e12, "The level immediately after the injection.")
    threshold: float = number(-1e12, 1e12, "The rule's threshold.")

    def __post_init__(self) -> None:
        if not min(self.before, self.after) < self.threshold < max(self.before, self.after):
            raise ValueError("the threshold must lie between before and after, or the alert never fires")

    def detection(self, hold_seconds: float) -> tuple[float, list[str]]:
        """Seconds from the injection until it fires, and the arithmetic line by line."""
        crosses = self.window_seconds * (self.threshold - self.before) / (self.after - self.before)
        line = (
            f"a mean over {self.window_seconds:g} s goes from {self.before:g} to {self.after:g};"
            f" it passes {self.threshold:g} after {self.window_seconds:g} x ({self.threshold:g} - {self.before:g})"
            f" / ({self.after:g} - {self.before:g}) = {crosses:.1f} s"
        )
        return crosses + hold_seconds, [line, _held(hold_seconds, crosses + hold_seconds)]


@dataclass(frozen=True)
class Silence:
    """The dead-man's switch: the Watchdog stops arriving, and the pager raises a page itself."""

    kind: ClassVar[str] = "silence"
    bound: ClassVar[bool] = True  # no later than: the last Watchdog may have arrived long before the fault

    def detection(self, hold_seconds: float) -> tuple[float, list[str]]:
        """Seconds from the injection until the page, at the latest, and the arithmetic line by line.

        `hold_seconds` is the switch's timeout, which counts from the last Watchdog.
        """
        at = hold_seconds + PERIOD_SECONDS
        line = (
            f"the switch waits {hold_seconds:g} s from the last Watchdog, and checks every {PERIOD_SECONDS:g} s:"
            f" at the latest {at:g} s after the path broke"
        )
        return at, [line]


DetectionModel = BurnRate | Condition | WindowMean | Silence
KINDS: dict[str, type[DetectionModel]] = {model.kind: model for model in (BurnRate, Condition, WindowMean, Silence)}


def read(node: Node) -> DetectionModel:
    """The model that a mapping with `kind` describes. Raises SpecError."""
    if not isinstance(node.value, dict) or not isinstance(kind := node.value.get("kind"), Node):
        raise node.refuse("must be a mapping with the prediction's kind")
    if kind.text() not in KINDS:
        raise kind.refuse(f"no kind {kind.text()!r}{nearest(kind.text(), KINDS)}; must be one of {', '.join(KINDS)}")
    return read_parameters(KINDS[kind.text()], node, "kind")


def _held(hold_seconds: float, at: float) -> str:
    wait = format_duration(round(hold_seconds)) if hold_seconds >= 1 else "0s"
    return f"and must hold for {wait} (the rule's own `for`): {at:.1f} s"
