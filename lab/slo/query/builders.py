"""Builds PromQL strings: rates, means, ratios and quantiles of counters and histograms.

`matchers` is the content of a selector's braces, such as `job="feed",service_version="1.1.0"`; "" selects every series
of the metric. `window` and `offset` are PromQL durations such as `10s`. `by` is a label to group by; without it all
series are summed into one.
"""

from __future__ import annotations


def rate(counter: str, window: str, matchers: str = "", *, by: str = "", offset: str = "") -> str:
    """Increase of a counter per second, over `window`: `sum by (route) (rate(requests_total{job="feed"}[10s]))`."""
    selector = f"{counter}{{{matchers}}}" if matchers else counter
    samples = f"{selector}[{window}] offset {offset}" if offset else f"{selector}[{window}]"
    return f"sum by ({by}) (rate({samples}))" if by else f"sum(rate({samples}))"


def ratio(part: str, whole: str) -> str:
    """One expression over another; no sample, instead of NaN, where `whole` is 0."""
    return f"{part} / ({whole} > 0)"


def mean(histogram: str, window: str, matchers: str = "", *, by: str = "", offset: str = "") -> str:
    """Mean of a histogram's observations in its own unit; NaN while nothing was observed in `window`."""
    total, count = (
        rate(f"{histogram}_{suffix}", window, matchers, by=by, offset=offset) for suffix in ("sum", "count")
    )
    return f"{total} / {count}"


def quantile(ratio_below: float, histogram: str, window: str, matchers: str = "") -> str:
    """The value that `ratio_below` (0 to 1, so 0.99 for the p99) of a histogram's observations do not exceed.

    A histogram gives only the bucket that contains it; Prometheus interpolates linearly inside that bucket.
    """
    return f"histogram_quantile({ratio_below}, {rate(f'{histogram}_bucket', window, matchers, by='le')})"
