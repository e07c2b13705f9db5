"""What the load generator counts, read before and after a step: arrivals, SLO events, latency and its own lateness."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import urllib3
from prometheus_client.parser import text_string_to_metric_families

from lab import names
from lab.capacity.documents import Counted, Latency
from lab.errors import NotRunning
from lab.paths import Ports
from lab.slo.catalogue import Catalogue
from lab.slo.model import Slo
from lab.slo.thresholds import threshold_seconds
from lab.stack.programs import url

SCRAPE_SECONDS = 5.0
Series = tuple[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True)
class Counters:
    """The generator's counters at one time, or their increase between two."""

    values: Mapping[Series, float]

    @classmethod
    def of_text(cls, text: str) -> Counters:
        """The counters in a page of metrics."""
        return cls(
            {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }
        )

    @classmethod
    def now(cls, ports: Ports) -> Counters:
        """The counters of a lab's load generator. Raises NotRunning when it does not answer."""
        try:
            answer = urllib3.request(
                "GET", f"{url(ports.traffic_admin)}/metrics", timeout=SCRAPE_SECONDS, retries=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise NotRunning(f"the load generator does not answer ({error}); see `fleetops status`") from error
        return cls.of_text(answer.data.decode())

    def since(self, before: Counters) -> Counters:
        """The increase since an earlier reading of the same process. Raises NotRunning when it was restarted."""
        increase = {key: value - before.values.get(key, 0.0) for key, value in self.values.items()}
        if any(value < 0 for (name, _), value in increase.items() if name == names.TRAFFIC_OFFERED):
            raise NotRunning("the load generator was restarted during a step")
        return Counters(increase)

    def sum(self, name: str, **labels: str) -> float:
        """The sum of the series of `name` that have these labels."""
        wanted = set(labels.items())
        return sum(value for (series, has), value in self.values.items() if series == name and wanted <= has)

    @property
    def arrivals(self) -> int:
        """Scheduled arrivals, whether they were sent or dropped."""
        return round(self.sum(names.TRAFFIC_OFFERED))

    @property
    def good(self) -> int:
        """Requests that were answered with a status below 400."""
        return sum(round(self._completed(route, good=True)) for route in names.ROUTES.values())

    def _completed(self, route: str, *, good: bool) -> float:
        return sum(
            value
            for (name, labels), value in self.values.items()
            if name == names.TRAFFIC_COMPLETED
            and (has := dict(labels))[names.LABEL_ROUTE] == route
            and (has[names.LABEL_STATUS][0] in "23") is good
        )

    def counted(self, slo: Slo, route: str) -> Counted:
        """The events of one SLO, from the scheduled arrival on.

        Stricter than the rules, which measure at the gateway: an arrival that was dropped, refused, timed out or got no
        answer is bad for availability, and a late one is bad for latency whatever its status.
        """
        dropped = self.sum(names.TRAFFIC_DROPPED, http_route=route)
        threshold = threshold_seconds(slo)
        if threshold is None:
            bad = self._completed(route, good=False)
            total = bad + self._completed(route, good=True)
        else:
            total = self.sum(f"{names.TRAFFIC_DURATION}_count", http_route=route)
            bad = total - self.sum(f"{names.TRAFFIC_DURATION}_bucket", http_route=route, le=str(threshold))
        return Counted(total=round(total + dropped), bad=round(bad + dropped))

    def slos(self, catalogue: Catalogue) -> dict[str, Counted]:
        """The events of every SLO, by its id."""
        return {slo.sloth_id: self.counted(slo, names.ROUTES[slo.service]) for slo in catalogue.slos}

    def latency(self, route: str) -> Latency:
        """Latency of one route; all zero without requests."""
        count = self.sum(f"{names.TRAFFIC_DURATION}_count", http_route=route)
        total = self.sum(f"{names.TRAFFIC_DURATION}_sum", http_route=route)
        buckets = self._buckets(names.TRAFFIC_DURATION, http_route=route)
        return Latency(
            p50_seconds=quantile(0.5, buckets),
            p99_seconds=quantile(0.99, buckets),
            mean_seconds=max(0.0, total / count) if count else 0.0,
        )

    @property
    def mean_seconds(self) -> float:
        """Mean duration of all requests."""
        count = self.sum(f"{names.TRAFFIC_DURATION}_count")
        return self.sum(f"{names.TRAFFIC_DURATION}_sum") / count if count else 0.0

    @property
    def late_p99_seconds(self) -> float:
        """99 % of the requests were sent at most this long after their scheduled arrival."""
        return quantile(0.99, self._buckets(names.TRAFFIC_LATE))

    def _buckets(self, name: str, **labels: str) -> list[tuple[float, float]]:
        sums: dict[float, float] = {}
        for (series, has), value in self.values.items():
            if series == f"{name}_bucket" and set(labels.items()) <= has:
                edge = float(dict(has)["le"])
                sums[edge] = sums.get(edge, 0.0) + value
        return sorted(sums.items())


def quantile(q: float, buckets: Iterable[tuple[float, float]]) -> float:
    """The quantile `q` of a histogram of (upper edge, cumulative count), linear within a bucket, as PromQL does.

    In the last, unbounded bucket it is that bucket's lower edge; 0 for an empty histogram.
    """
    ordered = list(buckets)
    if not ordered or not (total := ordered[-1][1]):
        return 0.0
    lower, below = 0.0, 0.0
    for edge, count in ordered:
        if count >= q * total and count > below:
            return lower if edge == float("inf") else lower + (edge - lower) * (q * total - below) / (count - below)
        lower, below = edge, count
    return lower
