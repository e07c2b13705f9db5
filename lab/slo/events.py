"""Which single requests an SLO counts, and which of them are bad, read from its queries on one histogram.

A rollout counts the events of two versions at the gateway, where the requests are; the spec stays the only definition.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.errors import UsageError
from lab.slo.model import EventsSli, Slo
from lab.slo.query.tree import Binary, Call, Expr, Matcher, Range, Selector, modifiers, parse
from lab.slo.rendering.ratios import in_window

ANY_WINDOW_SECONDS = 60


@dataclass(frozen=True)
class RequestEvents:
    """The matchers of all requests and of bad ones, which also take longer than `above_seconds` unless it is None."""

    histogram: str
    total: tuple[Matcher, ...]
    bad: tuple[Matcher, ...]
    above_seconds: float | None


def request_events(slo: Slo) -> RequestEvents:
    """The events of an SLO of the form bad / all, with sums of rates of one histogram's counts and buckets.

    `sum(rate(H_count{m}[w]))` counts the requests that m matches; as bad events, `sum(rate(H_count{m}[w])) -
    sum(rate(H_bucket{m,le="x"}[w]))` those that take longer than x seconds. Raises UsageError for another form.
    """
    if not isinstance(slo.sli, EventsSli):
        raise _refused(slo, "it is a raw ratio")
    queries = [in_window(query, ANY_WINDOW_SECONDS) for query in (slo.sli.total_query, slo.sli.error_query)]
    if used := sorted(modifiers(queries[0]) | modifiers(queries[1])):
        raise _refused(slo, f"its queries use {', '.join(used)}")
    total, error = map(parse, queries)
    histogram, matchers = _counted(slo, total, "_count")
    if isinstance(error, Binary) and error.op == "-":
        of, bad = _counted(slo, error.left, "_count")
        fast, below = _counted(slo, error.right, "_bucket")
        edges = [matcher.value for matcher in below if (matcher.label, matcher.op) == ("le", "=")]
        if len(edges) != 1 or tuple(matcher for matcher in below if matcher.label != "le") != bad or fast != of:
            raise _refused(slo, "its error_query does not subtract one bucket of the same requests")
        above: float | None = float(edges[0])
    else:
        (of, bad), above = _counted(slo, error, "_count"), None
    if of != histogram:
        raise _refused(slo, f"its queries count {histogram} and {of}")
    return RequestEvents(histogram, matchers, bad, above)


def _counted(slo: Slo, expr: Expr, suffix: str) -> tuple[str, tuple[Matcher, ...]]:
    """(histogram, matchers) of `sum(rate(HISTOGRAM_suffix{matchers}[window]))`."""
    match expr:
        case Call("sum", (Call("rate", (Range(Selector(metric, matchers), _, None),)),)) if metric.endswith(suffix):
            return metric.removesuffix(suffix), matchers
    raise _refused(slo, f"it is not sum(rate(HISTOGRAM{suffix}{{…}}[window]))")


def _refused(slo: Slo, why: str) -> UsageError:
    return UsageError(f"{slo.sloth_id} cannot be compared between two versions: {why}")
