"""Queues in steady state: Little's law, M/M/c queues, and sizes of pools.

With a the offered load in erlangs (arrivals per second times seconds of service) and c servers, which are threads,
connections or replicas: Erlang's B is the ratio of requests refused if nothing may wait, his C the ratio of requests
that wait if all may (Erlang, 1917). Both follow from B(0) = 1, B(k) = a B(k-1) / (k + a B(k-1)), which neither
overflows nor cancels (Cooper, "Introduction to Queueing Theory", 1981), and C = B / (1 - (a/c) (1 - B)). B holds for
any distribution of service times, C and the waits for exponential ones. Arrivals are Poisson.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from lab.errors import UsageError

LITTLE_TOLERANCE = 0.05
MAX_SERVERS = 100_000


@dataclass(frozen=True)
class LittleCheck:
    """Little's law on one measurement: `in_flight` measured, `expected` = throughput times residence time."""

    in_flight: float
    expected: float

    @property
    def relative_error(self) -> float:
        """How far the measured number in flight is above the expected one, relative to it; below 0 if it is lower."""
        if self.expected:
            return self.in_flight / self.expected - 1
        return math.inf if self.in_flight else 0.0

    @property
    def holds(self) -> bool:
        """Whether the law holds within LITTLE_TOLERANCE. If not, one of the three measurements is wrong."""
        return abs(self.relative_error) <= LITTLE_TOLERANCE


def littles_law(in_flight: float, throughput: float, residence_seconds: float) -> LittleCheck:
    """Compare the mean number in flight with throughput (requests/s) times mean residence time (Little, 1961).

    It holds for means over one interval that is long compared with the residence time, whatever the distributions.
    Raises UsageError for a negative number.
    """
    if min(in_flight, throughput, residence_seconds) < 0:
        raise UsageError(f"L = {in_flight}, X = {throughput}, R = {residence_seconds}: none may be negative")
    return LittleCheck(in_flight, throughput * residence_seconds)


def erlang_b(servers: int, offered: float) -> float:
    """The ratio of requests refused by `servers` without a queue at `offered` erlangs. Raises UsageError below 0."""
    if servers < 0 or not 0 <= offered < math.inf:
        raise UsageError(f"{servers} servers at {offered} erlangs: neither may be negative, nor the load infinite")
    return next(islice(_blocking(offered), servers, None))


def erlang_c(servers: int, offered: float) -> float:
    """The ratio of requests that wait for one of `servers` at `offered` erlangs; 1 from saturation on.

    Raises UsageError for a negative number.
    """
    return _waiting(servers, offered, erlang_b(servers, offered))


@dataclass(frozen=True)
class Mmc:
    """An M/M/c queue: `arrivals` per second, mean `service_seconds`, `servers`; first come, first served.

    Saturated (utilisation 1 or more), it has no steady state: every request waits, for ever. Raises UsageError for
    negative arrivals, a service time that is not above 0, and fewer than one server.
    """

    arrivals: float
    service_seconds: float
    servers: int

    def __post_init__(self) -> None:
        if not (0 <= self.arrivals < math.inf and 0 < self.service_seconds < math.inf and self.servers >= 1):
            raise UsageError(f"{self} is not a queue: it needs arrivals, a service time above 0, and a server")

    @property
    def offered(self) -> float:
        """The offered load in erlangs, which is the mean number of busy servers if there are enough."""
        return self.arrivals * self.service_seconds

    @property
    def utilisation(self) -> float:
        """The offered load of one server; above 1 if the queue grows without end."""
        return self.offered / self.servers

    @property
    def wait_ratio(self) -> float:
        """The ratio of requests that wait (Erlang C), 0 to 1."""
        return erlang_c(self.servers, self.offered)

    @property
    def mean_wait_seconds(self) -> float:
        """The mean wait of all requests, those that do not wait included."""
        spare = self._spare_per_second
        return self.wait_ratio / spare if spare > 0 else math.inf

    @property
    def mean_residence_seconds(self) -> float:
        """The mean time of a request: wait and service."""
        return self.mean_wait_seconds + self.service_seconds

    @property
    def mean_in_flight(self) -> float:
        """The mean number of requests that wait or are served (Little's law)."""
        return self.arrivals * self.mean_residence_seconds if self.arrivals else 0.0

    def longer_ratio(self, wait_seconds: float) -> float:
        """The ratio of requests that wait longer than `wait_seconds`, at least 0."""
        return self.wait_ratio * math.exp(-max(0.0, self._spare_per_second) * wait_seconds)

    def wait_quantile(self, quantile: float) -> float:
        """The wait in seconds that this ratio of requests does not exceed; 0 if so many do not wait.

        Raises UsageError unless the ratio is at least 0 and below 1.
        """
        if not 0 <= quantile < 1:
            raise UsageError(f"quantile {quantile}: must be at least 0 and below 1")
        waiting, spare = self.wait_ratio, self._spare_per_second
        if waiting <= 1 - quantile:
            return 0.0
        return math.log(waiting / (1 - quantile)) / spare if spare > 0 else math.inf

    @property
    def _spare_per_second(self) -> float:
        return self.servers / self.service_seconds - self.arrivals


def pool_size(arrivals: float, hold_seconds: float, *, longer_ratio: float, wait_seconds: float = 0.0) -> int:
    """The smallest pool for which at most this ratio of requests waits longer than `wait_seconds` (M/M/c).

    `arrivals`: requests per second that need a connection, `hold_seconds`: how long each holds one on average.
    `longer_ratio` is above 0. Raises UsageError for impossible numbers and for a pool above MAX_SERVERS.
    """
    if not 0 < longer_ratio <= 1 or wait_seconds < 0:
        raise UsageError(f"a ratio of {longer_ratio} may wait longer than {wait_seconds} s: no such pool")
    offered = Mmc(arrivals, hold_seconds, 1).offered
    for servers, blocking in enumerate(islice(_blocking(offered), MAX_SERVERS + 1)):
        if servers > offered:
            patient = math.exp(-(servers - offered) / hold_seconds * wait_seconds)
            if _waiting(servers, offered, blocking) * patient <= longer_ratio:
                return servers
    raise UsageError(f"{offered:g} connections in use on average need a pool of more than {MAX_SERVERS}")


def in_use_quantile(offered: float, quantile: float) -> int:
    """How many connections are in use at most, for this ratio of the time (0 to below 1), if the pool is unlimited.

    Their number is Poisson with the mean `offered` = arrivals times seconds held, for any distribution of the seconds
    (M/G/infinity; Cooper, 1981). Raises UsageError for impossible numbers.
    """
    if not (0 <= offered <= MAX_SERVERS / 2 and 0 <= quantile < 1):
        raise UsageError(f"{offered} connections in use on average, quantile {quantile}: not possible")
    total, count = math.exp(-offered), 0
    while total < quantile and count < MAX_SERVERS:
        count += 1
        total += math.exp(count * math.log(offered) - offered - math.lgamma(count + 1))
    return count


def _blocking(offered: float) -> Iterator[float]:
    """Erlang B for 0, 1, 2, ... servers."""
    blocking, servers = 1.0, 0
    while True:
        yield blocking
        servers += 1
        blocking = offered * blocking / (servers + offered * blocking)


def _waiting(servers: int, offered: float, blocking: float) -> float:
    """Erlang C from Erlang B."""
    return 1.0 if offered >= servers else blocking / (1 - offered / servers * (1 - blocking))
