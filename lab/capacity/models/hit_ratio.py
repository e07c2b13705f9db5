"""The hit ratio of a cache whose entries expire, and the load that is left for the database.

Requests for key i are Poisson with the rate r_i, independent of each other. A miss stores the entry; it lives for the
mean time T, however often it is read, so hits do not prolong it. From one miss to the next a key has 1 miss and on
average r_i T hits: the hit ratio of the key is r_i T / (1 + r_i T) (Jung, Berger and Balakrishnan, "Modeling TTL-based
Internet caches", 2003). It depends on the lifetime's mean alone. So a time to live varied evenly about its mean, as the
lab's cache does, leaves the hit ratio as it is; deletions by writes, which are Poisson too, shorten the mean.

Not modelled: the time that it takes to build an entry, during which more requests may miss, and a full cache that
evicts entries.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lab.errors import UsageError


def zipf(keys: int, exponent: float) -> list[float]:
    """The shares of requests of `keys` keys, the most popular first: proportional to 1 / rank^exponent, sum 1.

    Raises UsageError for fewer than one key.
    """
    if keys < 1:
        raise UsageError(f"{keys} keys cannot share requests; there must be one at least")
    weights = [rank**-exponent for rank in range(1, keys + 1)]
    total = sum(weights)
    return [weight / total for weight in weights]


def mean_lifetime(ttl_seconds: float, *, jitter_ratio: float = 0.0, deletions_per_second: float = 0.0) -> float:
    """The mean seconds that an entry stays in the cache: until it expires or a write deletes it.

    The time to live is uniform between (1 - jitter_ratio) and (1 + jitter_ratio) times `ttl_seconds`. Writes of one key
    are Poisson with the rate w, so the mean is that of (1 - exp(-w ttl)) / w over the time to live. Raises UsageError
    for impossible numbers.
    """
    if not (0 < ttl_seconds < math.inf and 0 <= jitter_ratio <= 1 and 0 <= deletions_per_second < math.inf):
        raise UsageError(
            f"a time to live of {ttl_seconds} s, varied by {jitter_ratio}, with {deletions_per_second} deletions/s: not"
            " possible"
        )
    if not deletions_per_second:
        return ttl_seconds
    shortest, longest = ttl_seconds * (1 - jitter_ratio), ttl_seconds * (1 + jitter_ratio)
    expired_share = math.exp(-deletions_per_second * shortest)  # entries that no write deletes first
    spread = deletions_per_second * (longest - shortest)
    if spread:
        expired_share *= -math.expm1(-spread) / spread
    return (1 - expired_share) / deletions_per_second


def hit_ratio(rates: Sequence[float], lifetime_seconds: float) -> float:
    """The hit ratio of all requests in steady state: of those for key i, r_i T / (1 + r_i T).

    `rates`: requests per second for each key. `lifetime_seconds`: T, the mean lifetime of an entry. 0 without requests.
    Raises UsageError for negative numbers.
    """
    _check(rates, lifetime_seconds)
    hits = sum(rate * rate * lifetime_seconds / (1 + rate * lifetime_seconds) for rate in rates)
    return hits / sum(rates) if hits else 0.0


def filling_hit_ratio(
    rates: Sequence[float], until_seconds: float, *, from_seconds: float = 0.0, deletions_per_second: float = 0.0
) -> float:
    """The hit ratio of all requests between two times after the cache was empty, before the first entry expires.

    A key that is requested at the rate r and deleted at the rate w is in the cache after t seconds with the probability
    r / (r + w) (1 - exp(-(r + w) t)); the result is the mean over the interval. Valid up to the shortest time to live.
    Raises UsageError for negative numbers and an empty interval.
    """
    if not 0 <= from_seconds < until_seconds < math.inf:
        raise UsageError(f"from {from_seconds} s until {until_seconds} s is not an interval")
    _check(rates, deletions_per_second)
    hits, length = 0.0, until_seconds - from_seconds
    for rate in rates:
        if rate:
            turnover = rate + deletions_per_second
            absent = math.exp(-turnover * from_seconds) * -math.expm1(-turnover * length) / (turnover * length)
            hits += rate * rate / turnover * (1 - absent)
    return hits / sum(rates) if hits else 0.0


def miss_rates(rates: Sequence[float], lifetime_seconds: float) -> list[float]:
    """Misses per second for each key in steady state, r / (1 + r T). Raises UsageError for negative numbers.

    A miss of one cache may be a request to another: to build a feed, the feed service reads its viewer's profile.
    """
    _check(rates, lifetime_seconds)
    return [rate / (1 + rate * lifetime_seconds) for rate in rates]


def database_load(requests_per_second: float, hit_ratio: float) -> float:
    """Requests per second that miss the cache and reach the database. Raises UsageError for impossible numbers."""
    if requests_per_second < 0 or not 0 <= hit_ratio <= 1:
        raise UsageError(f"{requests_per_second} requests/s with a hit ratio of {hit_ratio}: not possible")
    return requests_per_second * (1 - hit_ratio)


def _check(rates: Sequence[float], other: float) -> None:
    if other < 0 or min(rates, default=0.0) < 0:
        raise UsageError("rates and times of a cache cannot be negative")
