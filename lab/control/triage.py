"""Triage: rank the possible causes of a degraded service, with evidence from Prometheus.

Each cause compares a few measurements with a threshold below. Causes are distinguished by what only they change: a bad
canary leaves the stable version unaffected; a lost cache lowers the hit ratio for every version; a slow database
lengthens single operations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab import names
from lab.clients.prometheus import Prometheus
from lab.errors import UsageError
from lab.slo.query.builders import mean, rate, ratio

# Long enough for a few dozen requests at default traffic, short enough to see a change within half a minute.
WINDOW = "15s"
# The baseline: the minutes before the last one. The alert has fired within the last minute.
BEFORE = "5m"
BEFORE_OFFSET = "1m"

CANARY_TIMES_SLOWER = 3.0
CANARY_MIN_SHARE = 0.01
CANARY_ERRORS_MORE = 0.02
MIN_HIT_RATIO = 0.9
MAX_ERROR_RATIO = 0.01
MAX_POOL_WAIT_SECONDS = 0.05
SLOWER_THAN_BEFORE = 3.0
SLOW_BY_ANY_MEASURE = 10.0
MIN_DB_SECONDS = 0.02
MIN_USER_SECONDS = 0.1
MAX_THREADS_BUSY = 0.9
MAX_CLIENT_SHARE = 0.2
MAX_RETRY_RATIO = 0.2
MAX_ANONYMOUS_SHARE = 0.3
CROWD_TIMES_MORE = 1.5

SERVICES = ("feed", "user", "gateway")


@dataclass(frozen=True)
class Suspect:
    """One possible cause. `score` is the measurement divided by its threshold; 1 or more implicates the cause."""

    cause: str
    score: float
    evidence: str

    @property
    def implicated(self) -> bool:
        """Whether the evidence reaches the threshold."""
        return self.score >= 1


@dataclass(frozen=True)
class Target:
    """The service that is examined, and its measurements in Prometheus."""

    service: str
    prometheus: Prometheus

    def number(self, query: str) -> float | None:
        """The first value of an instant query; None when the result is empty."""
        return self.prometheus.number(query)

    @property
    def job(self) -> str:
        """The label matcher of the service's Prometheus job."""
        return f'job="{self.service}"'


def investigate(prometheus: Prometheus, service: str) -> list[Suspect]:
    """Every suspect for `service`, strongest evidence first. Raises UsageError for an unknown service, NotRunning."""
    if service not in SERVICES:
        raise UsageError(f"no service {service!r} to triage; the services are {', '.join(SERVICES)}")
    target = Target(service, prometheus)
    return sorted((judge(target) for judge in CAUSES[service].values()), key=lambda suspect: -suspect.score)


def judge(prometheus: Prometheus, service: str, cause: str) -> Suspect:
    """The suspect `cause` of `service`. Raises UsageError for an unknown service or cause, NotRunning."""
    if service not in SERVICES:
        raise UsageError(f"no service {service!r} to triage; the services are {', '.join(SERVICES)}")
    if cause not in CAUSES[service]:
        raise UsageError(f"no cause {cause!r} for {service}; the causes are {', '.join(CAUSES[service])}")
    return CAUSES[service][cause](Target(service, prometheus))


def _canary(target: Target) -> Suspect:
    """The canary compared with the stable version over the same window."""
    route = f'job="feed",{names.LABEL_ROUTE}="{names.ROUTE_FEED}"'
    stable, canary = f"{route},{names.OF_STABLE}", f"{route},{names.OF_CANARY}"
    count = f"{names.HTTP_SERVER_DURATION}_count"
    share = target.number(ratio(rate(count, WINDOW, canary), rate(count, WINDOW, route))) or 0.0
    if share < CANARY_MIN_SHARE:
        return Suspect("canary", 0.0, f"the canary answers {share:.1%} of feed requests")
    weight = target.number(f"max({names.GATEWAY_CANARY_WEIGHT})") or 0.0
    new, old = (target.number(mean(names.HTTP_SERVER_DURATION, WINDOW, side)) for side in (canary, stable))
    failing = f'{names.LABEL_STATUS}=~"5.."'
    errors = [
        target.number(ratio(rate(count, WINDOW, f"{side},{failing}"), rate(count, WINDOW, side))) or 0.0
        for side in (canary, stable)
    ]
    slower = new / old if new and old else 0.0
    text = f"weight {weight:.0%}, answers {share:.0%} of feed requests"
    if new and old:
        text += f" in {_time(new)}, stable in {_time(old)} ({slower:.1f}x)"
    if errors[0] > errors[1]:
        text += f", errors {errors[0]:.1%}, stable {errors[1]:.1%}"
    score = max(slower / CANARY_TIMES_SLOWER, (errors[0] - errors[1]) / CANARY_ERRORS_MORE)
    return Suspect("canary", score, text)


def _cache(target: Target) -> Suspect:
    selector = f'cache="{target.service}"'
    hits, lookups = (
        rate(names.CACHE_REQUESTS, WINDOW, matchers) for matchers in (f'{selector},result="hit"', selector)
    )
    hit = target.number(ratio(hits, lookups))
    if hit is None:
        return Suspect("cache", 0.0, "no cache lookups")
    score = (1 - hit) / (1 - MIN_HIT_RATIO)
    return Suspect("cache", score, f"hit ratio {hit:.1%}, at least {MIN_HIT_RATIO:.0%} expected")


def _database(target: Target) -> Suspect:
    """The mean time of each kind of database operation against its baseline, so that load alone does not count."""
    selector = f'{target.job},instance!~"{names.UPSTREAM_CANARY}-.*"'
    return _slower(
        target, "database", names.DB_OPERATION_DURATION, selector, "db_operation_name", MIN_DB_SECONDS, "operation"
    )


def _user_service(target: Target) -> Suspect:
    """The mean time of each route of the user service compared with its baseline."""
    selector = f'job="user",{names.LABEL_ROUTE}!="other"'
    return _slower(
        target, "user-service", names.HTTP_SERVER_DURATION, selector, names.LABEL_ROUTE, MIN_USER_SECONDS, "route"
    )


def _slower(target: Target, cause: str, metric: str, selector: str, by: str, min_seconds: float, noun: str) -> Suspect:
    """The worst of the series `metric` by label `by`, against its baseline; below `min_seconds` none is implicated."""

    def means(window: str, offset: str = "") -> dict[str, float]:
        total, count = (rate(f"{metric}_{part}", window, selector, by=by, offset=offset) for part in ("sum", "count"))
        return {sample.labels.get(by, ""): sample.value for sample in target.prometheus.instant(ratio(total, count))}

    current, baseline = means(WINDOW), means(BEFORE, BEFORE_OFFSET)
    worst = Suspect(cause, 0.0, f"no {noun} was measured")
    for name, seconds in current.items():
        usual = baseline.get(name)
        times = seconds / usual if usual else 0.0
        # Without a baseline, an operation must be slow by any measure.
        score = (
            min(times / SLOWER_THAN_BEFORE, seconds / min_seconds)
            if usual
            else seconds / (min_seconds * SLOW_BY_ANY_MEASURE)
        )
        if score >= worst.score:
            comparison = f", {_time(usual)} before ({times:.1f}x)" if usual else ""
            worst = Suspect(cause, score, f"{noun} {name}: {_time(seconds)}{comparison}")
    return worst


def _errors(target: Target) -> Suspect:
    count = f"{names.HTTP_SERVER_DURATION}_count"
    failing = rate(count, WINDOW, f'{target.job},{names.LABEL_STATUS}=~"5.."', by=names.LABEL_STATUS)
    query = f"{failing} / scalar({rate(count, WINDOW, target.job)})"
    shares = {sample.labels[names.LABEL_STATUS]: sample.value for sample in target.prometheus.instant(query)}
    worst = {code: share for code, share in sorted(shares.items(), key=lambda pair: -pair[1]) if share > 0}
    if not worst:
        return Suspect("errors", 0.0, "no 5xx")
    text = ", ".join(f"{share:.1%} answered {code}" for code, share in worst.items())
    return Suspect("errors", sum(worst.values()) / MAX_ERROR_RATIO, text)


def _pool(target: Target) -> Suspect:
    wait = target.number(mean(names.DB_POOL_WAIT, WINDOW, target.job))
    used = target.number(
        f'max(sum by (instance) ({names.DB_POOL_CONNECTIONS}{{{target.job},state="used"}})'
        f" / sum by (instance) ({names.DB_POOL_MAX}{{{target.job}}}))"
    )
    if wait is None:
        return Suspect("pool", 0.0, "no database connection was requested")
    text = f"waiting {_time(wait)} for a database connection" + (
        f", fullest pool {used:.0%}" if used is not None else ""
    )
    return Suspect("pool", wait / MAX_POOL_WAIT_SECONDS, text)


def _replica_down(target: Target) -> Suspect:
    down = [sample.labels["instance"] for sample in target.prometheus.instant(f"up{{{target.job}}} == 0")]
    total = target.number(f"count(up{{{target.job}}})") or 0
    if not total:
        return Suspect("replica-down", 1.0, f"Prometheus scrapes no replica of {target.service}")
    if not down:
        return Suspect("replica-down", 0.0, f"all {total:.0f} replicas answer")
    return Suspect("replica-down", 1 + len(down) / total, f"not answering: {', '.join(sorted(down))} of {total:.0f}")


def _saturation(target: Target) -> Suspect:
    busy = f'max_over_time({names.HTTP_SERVER_THREADS}{{{target.job},state="busy"}}[{WINDOW}])'
    total = f'{names.HTTP_SERVER_THREADS}{{{target.job},state="all"}}'
    used = target.number(f"max({busy} / ignoring (state) {total})")
    if used is None:
        return Suspect("saturation", 0.0, "no thread count")
    return Suspect("saturation", used / MAX_THREADS_BUSY, f"busiest replica used {used:.0%} of its threads")


def _upstream(target: Target) -> Suspect:
    """Upstreams whose calls fail or time out."""
    count, by = f"{names.HTTP_CLIENT_DURATION}_count", names.LABEL_UPSTREAM
    failing = rate(count, WINDOW, f'{target.job},{names.LABEL_STATUS}!~"[234].."', by=by)
    query = ratio(failing, rate(count, WINDOW, target.job, by=by))
    shares = {s.labels.get(names.LABEL_UPSTREAM, "?"): s.value for s in target.prometheus.instant(query) if s.value > 0}
    if not shares:
        return Suspect("upstream", 0.0, "every upstream answers")
    text = ", ".join(f"{name}: {share:.1%} of calls fail" for name, share in sorted(shares.items()))
    return Suspect("upstream", max(shares.values()) / MAX_ERROR_RATIO, text)


def _client(target: Target) -> Suspect:
    """The client with the largest share of all requests, among the clients that have their own series."""
    named = rate(names.GATEWAY_CLIENT_REQUESTS, WINDOW, 'client!="other"', by="client")
    greediest = target.prometheus.instant(f"topk(1, {named} > 0)")
    total = target.number(rate(names.GATEWAY_CLIENT_REQUESTS, WINDOW))
    if not greediest or not total:
        return Suspect("client", 0.0, "no client sends enough requests to have its own series")
    share = greediest[0].value / total
    text = f"{greediest[0].labels.get('client', '?')} sends {greediest[0].value:.0f} requests/s, {share:.0%} of all"
    return Suspect("client", share / MAX_CLIENT_SHARE, text)


def _anonymous(target: Target) -> Suspect:
    """A crowd of anonymous clients: their share of the requests within quota, and the growth of all requests."""
    anonymous = target.number(rate(names.GATEWAY_PRIORITY_REQUESTS, WINDOW, 'priority="guest"')) or 0.0
    total = target.number(rate(names.GATEWAY_PRIORITY_REQUESTS, WINDOW))
    # Anonymous clients that were there two minutes ago are not a sudden crowd.
    before = target.number(rate(names.GATEWAY_PRIORITY_REQUESTS, "1m", offset=BEFORE_OFFSET))
    if not total:
        return Suspect("guests", 0.0, "no requests")
    text = f"{anonymous:.0f} of {total:.0f} requests/s are anonymous" + (f"; {before:.0f}/s before" if before else "")
    share = anonymous / total / MAX_ANONYMOUS_SHARE
    return Suspect("guests", min(share, total / before / CROWD_TIMES_MORE) if before else share, text)


def _retries(target: Target) -> Suspect:
    """Retries that reach an upstream, per first attempt."""
    by = names.LABEL_UPSTREAM
    sent = f'{target.job},outcome!="over_budget"'
    arrived = rate(names.HTTP_CLIENT_RETRIES, WINDOW, f'{sent},cause!="unreachable"', by=by)
    calls = rate(f"{names.HTTP_CLIENT_DURATION}_count", WINDOW, target.job, by=by)
    query = f"{arrived} / ({calls} - {rate(names.HTTP_CLIENT_RETRIES, WINDOW, sent, by=by)} > 1)"
    ratios = {s.labels.get(by, "?"): s.value for s in target.prometheus.instant(query) if s.value > 0}
    if not ratios:
        return Suspect("retries", 0.0, "no retries reach an upstream")
    text = ", ".join(f"{name}: {value:.1f} retries per first attempt" for name, value in sorted(ratios.items()))
    return Suspect("retries", max(ratios.values()) / MAX_RETRY_RATIO, text)


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


Judge = Callable[[Target], Suspect]
_COMMON: dict[str, Judge] = {"errors": _errors, "replica-down": _replica_down, "saturation": _saturation}
_DATA: dict[str, Judge] = {"cache": _cache, "database": _database, "pool": _pool, **_COMMON}
CAUSES: dict[str, dict[str, Judge]] = {
    "feed": {"canary": _canary, **_DATA, "user-service": _user_service},
    "user": _DATA,
    "gateway": {**_COMMON, "upstream": _upstream, "client": _client, "guests": _anonymous, "retries": _retries},
}
