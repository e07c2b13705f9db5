"""Traffic for a proof: the counters of a gateway at which given ratios of the requests are bad.

All SLOs of one service measure the same requests, so one workload gives each of them its own bad ratio at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.slo.model import EventsSli, Slo
from lab.slo.prove.labels import choose, satisfies
from lab.slo.query.tree import Matcher, Selector, parse, selectors
from lab.slo.specs.fields import WINDOW, refuse_at

QUERIES = ("error_query", "total_query")
BOUND = "le"


@dataclass(frozen=True)
class Phase:
    """A duration with constant traffic. `bad` is the bad ratio of each SLO with bad events, by SLO id."""

    seconds: int
    bad: Mapping[str, float] = field(default_factory=dict)
    per_second: float = 1_000_000.0  # high enough that rounding to whole requests does not matter
    present: bool = True  # False: the targets are down and no counter is scraped
    burst: int = 0  # additional bad requests at the phase's first scrape


def input_series(
    slos: Sequence[Slo], phases: Sequence[Phase], step_seconds: int, *, without_errors: bool = False
) -> dict[str, str]:
    """promtool's `input_series` for one service: series name to values, one value every `step_seconds`.

    With `without_errors`, the counters of failed requests do not exist, as before the first failure.
    Raises SpecError when no proof can be generated for an SLO's queries.
    """
    existing = [counter for counter in counters(slos) if counter.failed is None or not without_errors]
    return {counter.series: counter.values(phases, step_seconds) for counter in existing}


@dataclass(frozen=True)
class Counter:
    """One counter series, and which requests it counts. `failed`, `succeeded` and `fast` are SLO ids."""

    series: str
    failed: str | None  # counts only requests that are bad for this SLO
    succeeded: str | None  # counts only requests that are not bad for this SLO
    fast: str | None = None  # and only those that are not bad for this one either

    def share(self, bad: Mapping[str, float]) -> float:
        """The ratio of all requests that it counts."""
        if self.failed is not None:
            return bad.get(self.failed, 0.0)
        share = 1.0 - (bad.get(self.succeeded, 0.0) if self.succeeded else 0.0)
        return share * (1.0 - bad.get(self.fast, 0.0)) if self.fast else share

    def burst(self, size: int) -> int:
        """How many of `size` requests, each bad for every SLO, this series counts."""
        if self.failed is not None:
            return size
        return 0 if self.fast else size

    def values(self, phases: Sequence[Phase], step: int) -> str:
        """Its samples over the phases, in promtool's notation."""
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
    """The increment, rounded so that sums are exact: a float error between phases would look like a counter reset."""
    return round(increment) if increment >= 100 else round(increment * 1024) / 1024


def counters(slos: Sequence[Slo]) -> list[Counter]:
    """Counters of failed requests, successful requests, and successful requests faster than each latency threshold.

    Raises SpecError when no proof can be generated for an SLO's queries.
    """
    failures = [slo for slo in slos if len(_selectors(slo, "error_query")) == 1]
    latency = [slo for slo in slos if len(_selectors(slo, "error_query")) == 2]
    for slo in slos:
        if slo not in failures + latency or slo in failures[1:]:
            place = slo.origins.get("error_query", slo.origin)
            raise refuse_at(
                place, "no proof can be generated: count failures, in one SLO per service, or write all - fast"
            )
    request = _Request(slos, failures, latency)
    failing = failures[0].sloth_id if failures else None
    by_series: dict[str, Counter] = {}
    for slo in failures:
        failed, good = (
            request.series(slo, query, is_failed=query == "error_query") for query in ("error_query", "total_query")
        )
        by_series[failed] = Counter(failed, failing, None)
        by_series[good] = Counter(good, None, failing)
    for slo in latency:
        successful, fast = (request.series(slo, "error_query", index) for index in (0, 1))
        by_series[successful] = Counter(successful, None, failing)
        by_series[fast] = Counter(fast, None, failing, slo.sloth_id)
    return [by_series[name] for name in sorted(by_series)]


class _Request:
    """Labels of a failed and of a successful request that match the selectors of a service's SLOs."""

    def __init__(self, slos: Sequence[Slo], failures: Sequence[Slo], latency: Sequence[Slo]) -> None:
        self.all = [selector for slo in slos for query in QUERIES for selector in _selectors(slo, query)]
        self.failed = [selector for slo in failures for selector in _selectors(slo, "error_query")]
        self.total = [selector for slo in failures for selector in _selectors(slo, "total_query")]
        self.good = self.total + [selector for slo in latency for selector in _selectors(slo, "error_query")]

    def series(self, slo: Slo, query: str, index: int = 0, *, is_failed: bool = False) -> str:
        """The series that a selector of an SLO counts the request in. Raises SpecError when there is none."""
        selector = _selectors(slo, query)[index]
        wanted = [*self.failed, *self.total] if is_failed else self.good
        names = {matcher.label for other in self.all if other.metric == selector.metric for matcher in other.matchers}
        values = {}
        for name in sorted(names - {BOUND} | {matcher.label for matcher in selector.matchers}):
            # Each bucket has its own bound.
            required = _matchers(name, [selector] if name == BOUND else wanted)
            also = _matchers(name, self.all)
            try:
                value = choose(required, () if is_failed else _matchers(name, self.failed), also)
                value = choose(required, (), also) if value is None and not is_failed else value
            except re.error as error:
                raise refuse_at(
                    slo.origins[query], f"no proof can be generated: {name} is matched by {error}"
                ) from error
            if value is None:
                conditions = " and ".join(f'{matcher.op}"{matcher.value}"' for matcher in required)
                raise refuse_at(
                    slo.origins[query], f"no proof can be generated: found no value of {name} that is {conditions}"
                )
            values[name] = value
        failing = [matcher for failed in self.failed for matcher in failed.matchers]
        fails = all(satisfies(matcher, values.get(matcher.label, "")) for matcher in failing)
        if not is_failed and self.failed and fails:
            raise refuse_at(slo.origins[query], "no proof can be generated: it counts failed requests only")
        labels = ",".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in values.items() if value)
        return f"{selector.metric}{{{labels}}}"


def _matchers(label: str, selectors: Sequence[Selector]) -> list[Matcher]:
    return [matcher for selector in selectors for matcher in selector.matchers if matcher.label == label]


def _selectors(slo: Slo, query: str) -> list[Selector]:
    """The selectors of a query, in source order; none for a raw SLI."""
    if not isinstance(slo.sli, EventsSli):
        return []
    try:
        return list(selectors(parse(WINDOW.sub("5m", getattr(slo.sli, query)))))
    except ValueError as error:
        raise refuse_at(slo.origins[query], f"is not PromQL: {error}") from error
