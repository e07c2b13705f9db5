"""What capacity is planned for: the peak, the burst and the headroom of rules/policy/capacity.yml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.drills.schema.parameters import between
from lab.paths import RULES
from lab.slo.specs.document import read_document

FILE = RULES / "policy" / "capacity.yml"
KEYS = ("peak", "burst", "headroom", "growth_per_week")
PEAK = ("feed_per_second", "user_per_second")


@dataclass(frozen=True)
class Demand:
    """The load to plan for: requests per second at the peak, the factor of a burst, and the ratio that stays free."""

    feed_per_second: float
    user_per_second: float
    burst: float
    headroom: float

    @property
    def peak_per_second(self) -> float:
        """All requests at the peak."""
        return self.feed_per_second + self.user_per_second


@dataclass(frozen=True)
class Policy:
    """The demand, and how fast its peak grows: 0.02 is 2 % a week."""

    demand: Demand
    growth_per_week: float


def read_policy(file: Path = FILE) -> Policy:
    """The policy in `file`. Raises SpecError with file, line and key."""
    document = read_document(file, first_key="peak")
    keys = document.mapping(*KEYS, required=KEYS)
    peak = keys["peak"].mapping(*PEAK, required=PEAK)
    demand = Demand(
        feed_per_second=between(peak["feed_per_second"], 0.1, 1e6),
        user_per_second=between(peak["user_per_second"], 0.1, 1e6),
        burst=between(keys["burst"], 1, 100),
        headroom=between(keys["headroom"], 0, 0.9),
    )
    return Policy(demand, between(keys["growth_per_week"], 0, 10))
