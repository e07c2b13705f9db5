"""The order of a sweep's steps, decided from the steps so far: a pure function, so that a sweep can be resumed.

Capacity is not read off one rising ramp, which stops at the first unlucky step. Each configuration is bracketed and
then tested in a staircase: a load that passes is followed by a higher one, a load that fails by a lower one.
Configurations take turns in blocks of random order, and every second block runs in the opposite order of the one
before, so that a slow drift of the machine reaches all of them alike.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lab.capacity.configurations import DEFAULT
from lab.capacity.documents import CURVE, STAIRCASE, Step, Sweep

# The factor from one load to the next: until the first reversal, until the second, and from then on.
FACTORS = (1.25, 1.1, 1.05)
BRACKET_STEPS = 5
BLOCK_STEPS = 3
# A step that does not count is repeated; so many in one visit, and the next configuration has its turn.
MAX_REFUSED = 3
# Loads of the curve as ratios of the default configuration's limit so far.
CURVE_RATIOS = (0.1, 0.2, 0.3, 0.45, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5)

Holds = Callable[[Step], bool]


@dataclass(frozen=True)
class Next:
    """The next step: configuration, kind, block and offered load in requests per second."""

    configuration: str
    kind: str
    block: int
    offered_per_second: float


def order(names: Sequence[str], seed: int, block: int) -> list[str]:
    """The configurations of one block in their order. The first block starts with the default, if there is one."""
    shuffled = list(names)
    random.Random(seed * 1000 + block // 2).shuffle(shuffled)  # noqa: S311 - an order, not a secret
    if block % 2:
        shuffled.reverse()
    if block == 0 and DEFAULT in shuffled:
        shuffled.remove(DEFAULT)
        shuffled.insert(0, DEFAULT)
    return shuffled


def next_step(sweep: Sweep, holds: Holds, start: float, block: int) -> Next | None:
    """The next step within `block`, or None when the block is complete. `start` is the first load of all."""
    for name in order(sweep.header.configurations, sweep.header.seed, block):
        done = [step for step in sweep.steps if (step.configuration, step.kind) == (name, STAIRCASE)]
        if not _complete([step for step in done if step.block == block], holds, block):
            return Next(name, STAIRCASE, block, next_load(verdicts(done, holds), _start(sweep, holds, name, start)))
    return None


def next_of_curve(sweep: Sweep, holds: Holds) -> Next | None:
    """The next step of the default configuration's curve over the whole range of loads, or None when it is complete."""
    staircase = [step for step in sweep.counted if (step.configuration, step.kind) == (DEFAULT, STAIRCASE)]
    done = len([step for step in sweep.steps if step.kind == CURVE])
    if done >= len(CURVE_RATIOS) or not staircase:
        return None
    ratios = random.Random(sweep.header.seed).sample(CURVE_RATIOS, len(CURVE_RATIOS))  # noqa: S311 - an order
    bracket = [step for step in staircase if step.block == 0]
    return Next(DEFAULT, CURVE, 0, round(ratios[done] * limit(verdicts(bracket, holds)), 1))


def next_load(verdicts: Sequence[tuple[float, bool]], start: float) -> float:
    """The load after these (load, passed): `start`, then up after a pass and down after a failure."""
    if not verdicts:
        return round(start, 1)
    load, passed = verdicts[-1]
    factor = FACTORS[min(reversals(verdicts), len(FACTORS) - 1)]
    return round(load * factor if passed else load / factor, 1)


def reversals(verdicts: Sequence[tuple[float, bool]]) -> int:
    """How often a pass was followed by a failure or a failure by a pass."""
    return sum(one[1] is not other[1] for one, other in pairwise(verdicts))


def limit(verdicts: Sequence[tuple[float, bool]]) -> float:
    """A first estimate of the limit: halfway between the highest load that passed and the lowest that failed."""
    passed = [load for load, ok in verdicts if ok]
    failed = [load for load, ok in verdicts if not ok]
    if passed and failed:
        return (max(passed) + min(failed)) / 2
    return max(passed) if passed else min(failed)


def verdicts(steps: Sequence[Step], holds: Holds) -> list[tuple[float, bool]]:
    """(offered load, whether every SLO held) of each step that counts."""
    return [(step.offered_per_second, holds(step)) for step in steps if not step.refused]


def _complete(visit: Sequence[Step], holds: Holds, block: int) -> bool:
    counted = verdicts(visit, holds)
    if len(visit) - len(counted) >= MAX_REFUSED:
        return True
    if block:
        return len(counted) >= BLOCK_STEPS
    return len(counted) >= BRACKET_STEPS or reversals(counted) > 0


def _start(sweep: Sweep, holds: Holds, name: str, start: float) -> float:
    """The first load of a configuration: the default's limit so far, once there is one."""
    default = [step for step in sweep.counted if (step.configuration, step.kind) == (DEFAULT, STAIRCASE)]
    return limit(verdicts(default, holds)) if default and name != DEFAULT else start
