"""Client of Prometheus' query API."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

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


@dataclass(frozen=True)
class ActiveAlert:
    """One pending or firing alert: its labels, among them `alertname`, and its state."""

    labels: dict[str, str]
    state: str


class Exemplar(NamedTuple):
    """One observed value at `at` (epoch seconds), and the trace of its request."""

    at: float
    value: float
    trace_id: str


class Prometheus:
    """The query API of one Prometheus. Raises UsageError, quoting the reason, when it refuses a query."""

    def __init__(self, url: str, token: str | None = None, timeout_seconds: float = 15.0) -> None:
        self.http = JsonClient(url, what="Prometheus", token=token, user=LOGIN_USER, timeout_seconds=timeout_seconds)

    @classmethod
    def of(cls, home: Home, ports: Ports) -> Prometheus:
        """The Prometheus of the lab in `home` on `ports`; NotRunning when no lab was ever started there."""
        return cls(f"http://{LOOPBACK}:{ports.prometheus}", read_token(home))

    def instant(self, query: str, at: float | None = None) -> list[Sample]:
        """The instant vector of `query` at `at` (epoch seconds; None: now). A scalar counts as one sample."""
        fields = {"query": query} if at is None else {"query": query, "time": f"{at:.3f}"}
        data = self._get("/api/v1/query", fields)
        if data["resultType"] in ("scalar", "string"):
            if data["resultType"] == "string":
                raise UsageError(f"{query!r} returns a string, not numbers")
            return [Sample({}, float(data["result"][1]))]
        if data["resultType"] == "matrix":
            raise UsageError(f"{query!r} returns a range vector; wrap it in rate(), increase() or similar")
        return [Sample(dict(row["metric"]), float(row["value"][1])) for row in data["result"]]

    def number(self, query: str, at: float | None = None) -> float | None:
        """The single value of `query`, or None when there is no finite one. Raises UsageError for several series."""
        samples = self.instant(query, at)
        if len(samples) > 1:
            raise UsageError(f"{query!r} returns {len(samples)} series where one was expected")
        return samples[0].value if samples and math.isfinite(samples[0].value) else None

    def range(self, query: str, start: float, end: float, step_seconds: float = 1.0) -> list[Series]:
        """The range matrix of `query` from `start` to `end` (epoch seconds, both inclusive)."""
        fields = {"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step_seconds:g}"}
        data = self._get("/api/v1/query_range", fields)
        return _series(data)

    def samples(self, selector: str, at: float) -> list[Series]:
        """The samples of a range selector such as `up[5m]` as they were recorded until `at` (epoch seconds)."""
        data = self._get("/api/v1/query", {"query": selector, "time": f"{at:.3f}"})
        if data["resultType"] != "matrix":
            raise UsageError(f"{selector!r} does not select a range; write one such as up[5m]")
        return _series(data)

    def exemplars(self, selector: str, start: float, end: float) -> list[Exemplar]:
        """The exemplars of the series that a selector selects from `start` to `end` (epoch seconds), oldest first.

        Those without a trace id are left out.
        """
        fields = {"query": selector, "start": f"{start:.3f}", "end": f"{end:.3f}"}
        rows = [row for series in self._get("/api/v1/query_exemplars", fields) for row in series["exemplars"]]
        found = [
            Exemplar(float(row["timestamp"]), float(row["value"]), row["labels"]["trace_id"])
            for row in rows
            if "trace_id" in row["labels"]
        ]
        return sorted(found, key=lambda exemplar: exemplar.at)

    def alerts(self) -> list[ActiveAlert]:
        """Every pending or firing alert."""
        return [ActiveAlert(dict(row["labels"]), row["state"]) for row in self._get("/api/v1/alerts", {})["alerts"]]

    def version(self) -> str:
        """The version of the running Prometheus."""
        return str(self._get("/api/v1/status/buildinfo", {})["version"])

    def wait(self, query: str, deadline_seconds: float, interval_seconds: float = 0.5) -> list[Sample]:
        """Poll until `query` returns samples; empty when the deadline passes first."""
        end = time.monotonic() + deadline_seconds
        while not (samples := self.instant(query)) and time.monotonic() < end:
            time.sleep(interval_seconds)
        return samples

    def _get(self, path: str, fields: dict[str, str]) -> Any:
        try:
            answer = self.http.call("GET", path, fields=fields)
        except UsageError as error:
            # Prometheus' reason is its parser's and does not name the query.
            raise UsageError(f"PromQL {fields.get('query', path)!r}: {error}") from error
        return answer["data"]


def _series(data: Any) -> list[Series]:
    return [Series(dict(row["metric"]), [(float(t), float(v)) for t, v in row["values"]]) for row in data["result"]]
