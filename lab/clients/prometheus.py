"""Questions to Prometheus."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

from lab.clients.http import JsonClient
from lab.clients.pager import read_token
from lab.errors import UsageError
from lab.names import LOGIN_USER
from lab.paths import LOOPBACK, Home, Ports


@dataclass(frozen=True)
class Sample:
    """One element of an instant vector."""

    labels: dict[str, str]
    value: float


@dataclass(frozen=True)
class Series:
    """One element of a range matrix: `points` are (epoch seconds, value)."""

    labels: dict[str, str]
    points: list[tuple[float, float]]


class Prometheus:
    """The query API of one Prometheus. A query it refuses is a UsageError that quotes the reason."""

    def __init__(self, url: str, token: str | None = None, timeout_seconds: float = 15.0) -> None:
        self.http = JsonClient(url, what="Prometheus", token=token, user=LOGIN_USER, timeout_seconds=timeout_seconds)

    @classmethod
    def of(cls, home: Home, ports: Ports) -> Prometheus:
        """The Prometheus of the lab that lives in `home` on `ports`; NotRunning when none was started there."""
        return cls(f"http://{LOOPBACK}:{ports.prometheus}", read_token(home))

    def instant(self, query: str, at: float | None = None) -> list[Sample]:
        """The vector `query` gives at an instant (epoch seconds; now when None). A scalar counts as one sample."""
        fields = {"query": query} if at is None else {"query": query, "time": f"{at:.3f}"}
        data = self._ask("/api/v1/query", fields)
        if data["resultType"] in ("scalar", "string"):
            if data["resultType"] == "string":
                raise UsageError(f"{query!r} gives a text, not numbers")
            return [Sample({}, float(data["result"][1]))]
        if data["resultType"] == "matrix":
            raise UsageError(f"{query!r} gives a range of samples; wrap it in rate(), increase() or the like")
        return [Sample(dict(row["metric"]), float(row["value"][1])) for row in data["result"]]

    def number(self, query: str, at: float | None = None) -> float | None:
        """The single finite value of `query`, or None when it is empty or not a number."""
        samples = self.instant(query, at)
        if len(samples) > 1:
            raise UsageError(f"{query!r} gives {len(samples)} series where one was expected")
        return samples[0].value if samples and math.isfinite(samples[0].value) else None

    def range(self, query: str, start: float, end: float, step_seconds: float = 1.0) -> list[Series]:
        """The matrix `query` gives from `start` to `end` (epoch seconds, both included)."""
        fields = {"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step_seconds:g}"}
        data = self._ask("/api/v1/query_range", fields)
        return [Series(dict(row["metric"]), [(float(t), float(v)) for t, v in row["values"]]) for row in data["result"]]

    def alerts(self) -> list[dict[str, Any]]:
        """Every pending or firing alert, as Prometheus gives them: labels, state, activeAt, value."""
        return list(self._ask("/api/v1/alerts", {})["alerts"])

    def version(self) -> str:
        """The version that runs."""
        return str(self._ask("/api/v1/status/buildinfo", {})["version"])

    def wait(self, query: str, deadline_seconds: float, interval_seconds: float = 0.5) -> list[Sample]:
        """Ask until `query` gives something; empty when the deadline passes first."""
        end = time.monotonic() + deadline_seconds
        while not (samples := self.instant(query)) and time.monotonic() < end:
            time.sleep(interval_seconds)
        return samples

    def _ask(self, path: str, fields: dict[str, str]) -> Any:
        try:
            answer = self.http.call("GET", path, fields=fields)
        except UsageError as error:
            # Prometheus quotes its own parser; the query in front says which one it means.
            raise UsageError(f"PromQL {fields.get('query', path)!r}: {error}") from error
        return answer["data"]
