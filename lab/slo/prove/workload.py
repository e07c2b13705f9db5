"""Traffic for a proof: the counters a gateway would show when given parts of its requests are bad.

All SLOs of one service measure the same requests, so one workload makes every one of them bad by its own ratio at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.errors import LabError
from lab.slo.model import EventsSli, Slo

_SELECTOR = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:"[^"]*"|[^"{}])*)\}')
_MATCHER = re.compile(r'(\w+)(=~|=)"([^"]*)"')


@dataclass(frozen=True)
class Phase:
    """A stretch of time with constant traffic. `bad` is the bad ratio of each SLO that has any, by its id."""

    seconds: int
    bad: Mapping[str, float] = field(default_factory=dict)
    per_second: float = 1_000_000.0  # so many that a ratio's rounding to whole requests is nothing
    present: bool = True  # False: the targets are gone and no counter is scraped
    burst: int = 0  # bad requests at the phase's first scrape, on top


def input_series(
    slos: Sequence[Slo], phases: Sequence[Phase], step_seconds: int, *, without_errors: bool = False
) -> dict[str, str]:
    """promtool's `input_series` for one service: series name to values, one value every `step_seconds`.

    With `without_errors`, the counters of failed requests do not exist, as before the first failure.
    Raises LabError when an SLO's queries are none that a proof can be made for.
    """
    found = [counter for counter in counters(slos) if counter.failed is None or not without_errors]
    return {counter.series: counter.values(phases, step_seconds) for counter in found}


@dataclass(frozen=True)
class Counter:
    """One series. Requests are told apart by failure (of `failed`'s SLO) and slowness (of `slow`'s SLO)."""

    series: str
    failed: str | None  # counts only the requests that are bad for this SLO
    succeeded: str | None  # counts only the requests that are not bad for this SLO
    fast: str | None = None  # and only those that are not bad for this one either

    def share(self, bad: Mapping[str, float]) -> float:
        """The part of all requests that it counts."""
        if self.failed is not None:
            return bad.get(self.failed, 0.0)
        share = 1.0 - (bad.get(self.succeeded, 0.0) if self.succeeded else 0.0)
        return share * (1.0 - bad.get(self.fast, 0.0)) if self.fast else share

    def burst(self, size: int) -> int:
        """How many of `size` requests that are bad in every way this series counts."""
        if self.failed is not None:
            return size
        return 0 if self.fast else size

    def values(self, phases: Sequence[Phase], step: int) -> str:
        """Its samples over the phases, as promtool writes them."""
        total, parts = 0.0, []
        for index, phase in enumerate(phases):
            count = phase.seconds // step + (index == 0)  # the first phase also holds the sample at 0
            if not phase.present:
                parts.append(f"_x{count}")
                continue
            increment = _exact(phase.per_second * step * self.share(phase.bad))
            total += (0 if index == 0 else increment) + self.burst(phase.burst)
            parts.append(f"{total:.12g}+{increment:.12g}x{count - 1}")
            total += increment * (count - 1)
        return " ".join(parts)


def _exact(increment: float) -> float:
    """A number that adds up without rounding: dust at the joint of two phases would look like a counter's reset."""
    return round(increment) if increment >= 100 else round(increment * 1024) / 1024


def counters(slos: Sequence[Slo]) -> list[Counter]:
    """The failed requests, the successful ones, and of these the ones faster than each latency threshold."""
    availability = [slo for slo in slos if len(_selectors(slo, "error_query")) == 1]
    latency = [slo for slo in slos if len(_selectors(slo, "error_query")) == 2]
    if len(availability) + len(latency) != len(slos) or len(availability) > 1:
        raise LabError(
            f"no proof for {', '.join(slo.sloth_id for slo in slos)}: write error_query as failures, or all - fast"
        )
    failing = availability[0].sloth_id if availability else None
    found: dict[str, Counter] = {}
    for slo in availability:
        failed, example = _selectors(slo, "error_query")[0], _selectors(slo, "total_query")[0]
        good = _example(failed[0], example[1] | dict.fromkeys(failed[1].keys() - example[1].keys(), "200"))
        found[_example(*failed)] = Counter(_example(*failed), failing, None)
        found[good] = Counter(good, None, failing)
    for slo in latency:
        every, fast = (_example(*selector) for selector in _selectors(slo, "error_query"))
        found[every] = Counter(every, None, failing)
        found[fast] = Counter(fast, None, failing, slo.sloth_id)
    return [found[name] for name in sorted(found)]


def _selectors(slo: Slo, query: str) -> list[tuple[str, dict[str, str]]]:
    """The metric and one matching value for each label, of every selector of a query."""
    if not isinstance(slo.sli, EventsSli):
        return []
    return [
        # `5..` matches 500: a dot stands for any digit in the status classes that SLOs are written with.
        (
            metric,
            {name: value.replace(".", "0") if how == "=~" else value for name, how, value in _MATCHER.findall(body)},
        )
        for metric, body in _SELECTOR.findall(getattr(slo.sli, query))
    ]


def _example(metric: str, labels: Mapping[str, str]) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return f"{metric}{{{inside}}}"
