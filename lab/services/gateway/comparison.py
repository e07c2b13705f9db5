"""Counts what two versions did to requests and clients since a step began, by SLO.

The counts are the judge's (lab/rollout): both versions at the same time, each request once, bad by the SLO's own
definition. In a rollout the versions are the canary and stable, and clients are counted because they are what the split
assigns to a version. In a configuration push they are one replica and the others, to which requests are assigned, so
that each request counts as a client of its own.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b

from prometheus_client.core import CounterMetricFamily, Metric

from lab import names
from lab.errors import UsageError
from lab.telemetry.body import JsonObject

CANARY, STABLE = "canary", "stable"
ARMS = {names.UPSTREAM_CANARY: CANARY, names.UPSTREAM_FEED: STABLE}
# Clients beyond these, of both versions together, are in no count of clients. Each takes some 100 bytes.
MAX_CLIENTS = 20_000
MAX_SLOS = 20
MAX_NAME = 100
METRICS = {
    names.COMPARISON_REQUESTS: "Requests that an SLO counts, by the version that answered, since the step began.",
    names.COMPARISON_BAD_REQUESTS: "Those of them that were bad by the SLO's own definition.",
    names.COMPARISON_CLIENTS: "Clients with such a request, by version, since the step began.",
    names.COMPARISON_AFFECTED_CLIENTS: "Those of them with at least one bad request.",
}


@dataclass(frozen=True)
class Matcher:
    """A PromQL label matcher; `op` is =, !=, =~ or !~."""

    label: str
    op: str
    value: str

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self.value if self.op.endswith("~") else re.escape(self.value))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether it matches; a label that is missing is empty, as in Prometheus."""
        found = self._pattern.fullmatch(labels.get(self.label, "")) is not None
        return found if self.op in ("=", "=~") else not found


@dataclass(frozen=True)
class Events:
    """Which requests an SLO counts, and which of them are bad: those that `bad` matches, and that are slower.

    `above_seconds`: the bucket's edge of a latency SLO; None for one that does not ask for the duration.
    """

    total: tuple[Matcher, ...]
    bad: tuple[Matcher, ...]
    above_seconds: float | None = None

    def of(self, labels: Mapping[str, str], seconds: float) -> tuple[bool, bool]:
        """(whether it counts the request, whether the request is bad)."""
        counts = all(matcher.matches(labels) for matcher in self.total)
        is_bad = (self.above_seconds is None or seconds > self.above_seconds) and all(
            matcher.matches(labels) for matcher in self.bad
        )
        return counts or is_bad, is_bad


@dataclass(frozen=True)
class Target:
    """Where a request was sent: the upstream's name, and the URL of the replica that was called first; "": none was."""

    upstream: str
    url: str = ""


@dataclass(frozen=True)
class Step:
    """What is counted: the events of SLOs by their id. `step` names the step; "": nothing is counted.

    `replica` is the replica that takes the canary's place, beside the others of its upstream; None in a rollout.
    """

    step: str = ""
    slos: Mapping[str, Events] = field(default_factory=dict)
    replica: Target | None = None

    def arm(self, sent_to: Target) -> str | None:
        """The version that a request counts for; None when it is of neither."""
        if self.replica is None:
            return ARMS.get(sent_to.upstream)
        if sent_to.upstream != self.replica.upstream or not sent_to.url:
            return None
        return CANARY if sent_to.url == self.replica.url else STABLE

    def public(self) -> JsonObject:
        """The step as JSON, in the form that `read` takes."""
        replica = self.replica
        return {
            "step": self.step,
            "replica": None if replica is None else {"upstream": replica.upstream, "url": replica.url},
            "slos": {
                slo: {
                    "total": [[m.label, m.op, m.value] for m in events.total],
                    "bad": [[m.label, m.op, m.value] for m in events.bad],
                    "above_seconds": events.above_seconds,
                }
                for slo, events in self.slos.items()
            },
        }


def read(body: JsonObject) -> Step:
    """A step from the body of a request. Raises UsageError."""
    step, slos = body.get("step"), body.get("slos", {})
    if not isinstance(step, str) or len(step) > MAX_NAME:
        raise UsageError(f"step: {step!r:.80} must be a string of at most {MAX_NAME} characters")
    if not isinstance(slos, dict) or len(slos) > MAX_SLOS:
        raise UsageError(f"slos: must be an object of at most {MAX_SLOS} SLOs")
    events = {slo: _events(slo, value) for slo, value in slos.items()}
    return Step(step, events, _replica(body.get("replica")))


def _replica(value: object) -> Target | None:
    if value is None:
        return None
    if not isinstance(value, dict) or set(value) != {"upstream", "url"}:
        raise UsageError("replica: must be null or an object with upstream and url")
    for key, text in value.items():
        if not isinstance(text, str) or len(text) > MAX_NAME:
            raise UsageError(f"replica.{key}: {text!r:.80} must be a string of at most {MAX_NAME} characters")
    return Target(**value)


def _events(slo: str, value: object) -> Events:
    if not isinstance(value, dict) or set(value) - {"total", "bad", "above_seconds"}:
        raise UsageError(f"slos.{slo:.80}: must be an object with total, bad and above_seconds")
    above = value.get("above_seconds")
    if above is not None and (isinstance(above, bool) or not isinstance(above, int | float) or not above > 0):
        raise UsageError(f"slos.{slo:.80}.above_seconds: {above!r:.80} must be a number above 0, or null")
    total, bad = (_matchers(slo, key, value.get(key)) for key in ("total", "bad"))
    return Events(total, bad, above)


def _matchers(slo: str, key: str, value: object) -> tuple[Matcher, ...]:
    where = f"slos.{slo:.80}.{key}"
    if not isinstance(value, list) or len(value) > 20:
        raise UsageError(f"{where}: must be a list of at most 20 matchers")
    matchers = []
    for item in value:
        if not (isinstance(item, list) and len(item) == 3 and all(isinstance(part, str) for part in item)):
            raise UsageError(f"{where}: {item!r:.80} must be [label, operator, value]")
        if item[1] not in ("=", "!=", "=~", "!~"):
            raise UsageError(f"{where}: {item[1]!r:.80} is not an operator; choose from =, !=, =~, !~")
        try:
            matchers.append(Matcher(*item))
            matchers[-1].matches({})
        except (re.error, RecursionError, OverflowError) as error:
            raise UsageError(f"{where}: {item[2]!r:.80} is not a regular expression: {error}") from None
    return tuple(matchers)


class _Arm:
    """The counts of one version for one SLO."""

    def __init__(self) -> None:
        self.requests = self.bad_requests = 0
        self.clients: set[int] = set()
        self.affected: set[int] = set()


class Comparison:
    """Counts each answered request, and exports the counts as metrics. Thread-safe.

    Setting another step starts from zero. A restart of the gateway does too, which the controller sees as a reset.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._step = Step()
        self._requests = itertools.count()
        self._arms: dict[tuple[str, str], _Arm] = {}

    def use(self, step: Step) -> None:
        """Count for `step` from now on. The step that is already counted goes on."""
        with self._lock:
            if step != self._step:
                self._step = step
                self._arms = {(slo, arm): _Arm() for slo in step.slos for arm in (CANARY, STABLE)}

    def observe(self, sent_to: Target, client: str, labels: Mapping[str, str], seconds: float) -> None:
        """Count one answered request by the labels and the duration of the gateway's own histogram."""
        if not self._step.slos:
            return
        key = int.from_bytes(blake2b(client.encode("utf-8", "surrogateescape"), digest_size=8).digest())
        with self._lock:
            step, arm = self._step, self._step.arm(sent_to)
            if arm is None:
                return
            if step.replica is not None:
                key = next(self._requests)
            for slo, events in step.slos.items():
                counts, is_bad = events.of(labels, seconds)
                if counts:
                    self._count(slo, arm, key, is_bad)

    def _count(self, slo: str, arm: str, client: int, is_bad: bool) -> None:
        row = self._arms[slo, arm]
        row.requests += 1
        row.bad_requests += is_bad
        if client in row.clients or sum(len(self._arms[slo, one].clients) for one in (CANARY, STABLE)) < MAX_CLIENTS:
            row.clients.add(client)
            if is_bad:
                row.affected.add(client)

    def collect(self) -> Iterator[Metric]:
        """The metrics, for prometheus_client's registry."""
        with self._lock:
            rows = [
                ((self._step.step, slo, arm), (row.requests, row.bad_requests, len(row.clients), len(row.affected)))
                for (slo, arm), row in self._arms.items()
            ]
        for index, (name, text) in enumerate(METRICS.items()):
            family = CounterMetricFamily(name, text, labels=("step", "slo", "arm"))
            for labels, values in rows:
                family.add_metric(labels, values[index])
            yield family
