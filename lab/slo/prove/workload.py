"""Traffic for a proof: the counters a gateway would show when given parts of its requests are bad.

All SLOs of one service measure the same requests, so one workload makes every one of them bad by its own ratio at once.
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
    Raises SpecError when an SLO's queries are none that a proof can be made for.
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
    failures = [slo for slo in slos if len(_selectors(slo, "error_query")) == 1]
    latency = [slo for slo in slos if len(_selectors(slo, "error_query")) == 2]
    for slo in slos:
        if slo not in failures + latency or slo in failures[1:]:
            place = slo.origins.get("error_query", slo.origin)
            raise refuse_at(place, "no proof can be made: write it as failures, once a service, or as all - fast")
    request = _Request(slos, failures, latency)
    failing = failures[0].sloth_id if failures else None
    found: dict[str, Counter] = {}
    for slo in failures:
        failed, good = (
            request.series(slo, query, is_failed=query == "error_query") for query in ("error_query", "total_query")
        )
        found[failed] = Counter(failed, failing, None)
        found[good] = Counter(good, None, failing)
    for slo in latency:
        every, fast = (request.series(slo, "error_query", index) for index in (0, 1))
        found[every] = Counter(every, None, failing)
        found[fast] = Counter(fast, None, failing, slo.sloth_id)
    return [found[name] for name in sorted(found)]


class _Request:
    """The labels of one request that fails and of one that does not, as the selectors of a service's SLOs want them."""

    def __init__(self, slos: Sequence[Slo], failures: Sequence[Slo], latency: Sequence[Slo]) -> None:
        self.all = [selector for slo in slos for query in QUERIES for selector in _selectors(slo, query)]
        self.failed = [selector for slo in failures for selector in _selectors(slo, "error_query")]
        self.total = [selector for slo in failures for selector in _selectors(slo, "total_query")]
        self.good = self.total + [selector for slo in latency for selector in _selectors(slo, "error_query")]

    def series(self, slo: Slo, query: str, index: int = 0, *, is_failed: bool = False) -> str:
        """The series by which a selector of an SLO counts the request. Raises SpecError."""
        selector = _selectors(slo, query)[index]
        wanted = [*self.failed, *self.total] if is_failed else self.good
        names = {one.label for other in self.all if other.metric == selector.metric for one in other.matchers}
        values = {}
        for name in sorted(names - {BOUND} | {one.label for one in selector.matchers}):
            # Each bucket has a bound of its own.
            asked = _of(name, [selector] if name == BOUND else wanted)
            try:
                value = choose(asked, () if is_failed else _of(name, self.failed), _of(name, self.all))
                value = choose(asked, (), _of(name, self.all)) if value is None and not is_failed else value
            except re.error as error:
                raise refuse_at(slo.origins[query], f"no proof can be made: {name} is matched by {error}") from error
            if value is None:
                text = " and ".join(f'{one.op}"{one.value}"' for one in asked)
                raise refuse_at(
                    slo.origins[query], f"no proof can be made: no value of {name} was found that is {text}"
                )
            values[name] = value
        if not is_failed and self.failed and all(satisfies(one, values.get(one.label, "")) for one in self._failing()):
            raise refuse_at(slo.origins[query], "no proof can be made: every request it counts is a failed one")
        inside = ",".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in values.items() if value)
        return f"{selector.metric}{{{inside}}}"

    def _failing(self) -> list[Matcher]:
        return [one for selector in self.failed for one in selector.matchers]


def _of(name: str, selectors: Sequence[Selector]) -> list[Matcher]:
    return [one for selector in selectors for one in selector.matchers if one.label == name]


def _selectors(slo: Slo, query: str) -> list[Selector]:
    """The selectors of a query, in the order in which they are written."""
    if not isinstance(slo.sli, EventsSli):
        return []
    try:
        return list(selectors(parse(WINDOW.sub("5m", getattr(slo.sli, query)))))
    except ValueError as error:
        raise refuse_at(slo.origins[query], f"is not PromQL: {error}") from error
