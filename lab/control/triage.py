"""What is wrong with a service? Suspects with evidence, the strongest first.

Each suspect asks Prometheus for a few numbers and judges them against a threshold that is written beside it. The causes
are told apart by what only they change: a bad canary leaves the stable version alone; a lost cache shows in the hit
ratio and hits every version; a slow DB shows in the time of single operations, whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lab import names
from lab.clients.prometheus import Prometheus
from lab.errors import UsageError

# Long enough for a few dozen requests at default traffic, short enough to see a change within half a minute.
WINDOW = "15s"
# What "before" means: the minutes before the last one. The alert has fired within that minute.
BEFORE = "5m"
BEFORE_OFFSET = "1m"

CANARY_TIMES_SLOWER = 3.0
CANARY_LEAST_SHARE = 0.01
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
MAX_GUEST_SHARE = 0.3
CROWD_TIMES_MORE = 1.5

SERVICES = ("feed", "user", "gateway")


@dataclass(frozen=True)
class Suspect:
    """One possible cause. `score` is how many times over its threshold the evidence is: from 1 on it is implicated."""

    cause: str
    score: float
    evidence: str

    @property
    def implicated(self) -> bool:
        """Whether the evidence speaks against it."""
        return self.score >= 1


@dataclass(frozen=True)
class Scene:
    """The service under suspicion, and whom to ask."""

    service: str
    prometheus: Prometheus

    def number(self, query: str) -> float | None:
        """A number from Prometheus, None when there is none."""
        return self.prometheus.number(query)

    @property
    def job(self) -> str:
        """The Prometheus job of the service."""
        return f'job="{self.service}"'


def investigate(prometheus: Prometheus, service: str) -> list[Suspect]:
    """Every suspect for `service`, the strongest evidence first; UsageError for a service that is not known."""
    if service not in SERVICES:
        raise UsageError(f"no service {service!r} to triage; the services are {', '.join(SERVICES)}")
    scene = Scene(service, prometheus)
    return sorted((judge(scene) for judge in CAUSES[service].values()), key=lambda suspect: -suspect.score)


def judge(prometheus: Prometheus, service: str, cause: str) -> Suspect:
    """The one suspect; UsageError lists the causes of that service."""
    if service not in SERVICES:
        raise UsageError(f"no service {service!r} to triage; the services are {', '.join(SERVICES)}")
    if cause not in CAUSES[service]:
        raise UsageError(f"no cause {cause!r} for {service}; the causes are {', '.join(CAUSES[service])}")
    return CAUSES[service][cause](Scene(service, prometheus))


def _mean(selector: str, metric: str, window: str = WINDOW, offset: str = "") -> str:
    at = f"[{window}]" + (f" offset {offset}" if offset else "")
    return f"sum(rate({metric}_sum{{{selector}}}{at})) / (sum(rate({metric}_count{{{selector}}}{at})) > 0)"


def _canary(scene: Scene) -> Suspect:
    """The new version against the old one, side by side in the same seconds."""
    route = f'job="feed",{names.LABEL_ROUTE}="{names.ROUTE_FEED}"'
    stable = f'{route},{names.LABEL_VERSION}="{names.VERSION_STABLE}"'
    canary = f'{route},{names.LABEL_VERSION}!="{names.VERSION_STABLE}"'
    count = f"{names.HTTP_SERVER_DURATION}_count"
    share = (
        scene.number(f"sum(rate({count}{{{canary}}}[{WINDOW}])) / (sum(rate({count}{{{route}}}[{WINDOW}])) > 0)") or 0.0
    )
    if share < CANARY_LEAST_SHARE:
        return Suspect("canary", 0.0, f"the canary answers {share:.1%} of feed requests")
    weight = scene.number(f"max({names.GATEWAY_CANARY_WEIGHT})") or 0.0
    new, old = (scene.number(_mean(one, names.HTTP_SERVER_DURATION)) for one in (canary, stable))
    failing = f'{names.LABEL_STATUS}=~"5.."'
    errors = [
        scene.number(f"sum(rate({count}{{{one},{failing}}}[{WINDOW}])) / sum(rate({count}{{{one}}}[{WINDOW}]))") or 0.0
        for one in (canary, stable)
    ]
    slower = new / old if new and old else 0.0
    text = f"weight {weight:.0%}, answers {share:.0%} of feed requests"
    if new and old:
        text += f" in {_time(new)} against stable's {_time(old)} ({slower:.1f}x)"
    if errors[0] > errors[1]:
        text += f", errors {errors[0]:.1%} against {errors[1]:.1%}"
    score = max(slower / CANARY_TIMES_SLOWER, (errors[0] - errors[1]) / CANARY_ERRORS_MORE)
    return Suspect("canary", score, text)


def _cache(scene: Scene) -> Suspect:
    selector = f'cache="{scene.service}"'
    total = f"sum(rate({names.CACHE_REQUESTS}{{{selector}}}[{WINDOW}]))"
    hit = scene.number(f'sum(rate({names.CACHE_REQUESTS}{{{selector},result="hit"}}[{WINDOW}])) / ({total} > 0)')
    if hit is None:
        return Suspect("cache", 0.0, "no cache lookups")
    score = (1 - hit) / (1 - MIN_HIT_RATIO)
    return Suspect("cache", score, f"hit ratio {hit:.1%}, at least {MIN_HIT_RATIO:.0%} expected")


def _database(scene: Scene) -> Suspect:
    """The slowest kind of single operation against what it took before: more operations is not a slow DB."""
    selector = f'{scene.job},instance!~"{names.UPSTREAM_CANARY}-.*"'
    return _slower(
        scene, "database", names.DB_OPERATION_DURATION, selector, "db_operation_name", MIN_DB_SECONDS, "operation"
    )


def _user_service(scene: Scene) -> Suspect:
    """The user service as feed's callers meet it."""
    selector = f'job="user",{names.LABEL_ROUTE}!="other"'
    return _slower(
        scene, "user-service", names.HTTP_SERVER_DURATION, selector, names.LABEL_ROUTE, MIN_USER_SECONDS, "route"
    )


def _slower(scene: Scene, cause: str, metric: str, selector: str, by: str, least: float, what: str) -> Suspect:
    def mean(window: str, offset: str) -> dict[str, float]:
        at = f"[{window}]{offset}"
        query = (
            f"sum by ({by}) (rate({metric}_sum{{{selector}}}{at}))"
            f" / (sum by ({by}) (rate({metric}_count{{{selector}}}{at})) > 0)"
        )
        return {sample.labels.get(by, ""): sample.value for sample in scene.prometheus.instant(query)}

    now, before = mean(WINDOW, ""), mean(BEFORE, f" offset {BEFORE_OFFSET}")
    worst = Suspect(cause, 0.0, f"no {what} was measured")
    for name, seconds in now.items():
        usual = before.get(name)
        times = seconds / usual if usual else 0.0
        # Without a past to compare with, only what is slow by any measure counts.
        score = min(times / SLOWER_THAN_BEFORE, seconds / least) if usual else seconds / (least * SLOW_BY_ANY_MEASURE)
        if score >= worst.score:
            against = f" against {_time(usual)} before ({times:.1f}x)" if usual else ""
            worst = Suspect(cause, score, f"{what} {name}: {_time(seconds)}{against}")
    return worst


def _errors(scene: Scene) -> Suspect:
    count = f"{names.HTTP_SERVER_DURATION}_count"
    query = (
        f'sum by ({names.LABEL_STATUS}) (rate({count}{{{scene.job},{names.LABEL_STATUS}=~"5.."}}[{WINDOW}]))'
        f" / scalar(sum(rate({count}{{{scene.job}}}[{WINDOW}])))"
    )
    shares = {sample.labels[names.LABEL_STATUS]: sample.value for sample in scene.prometheus.instant(query)}
    worst = {code: share for code, share in sorted(shares.items(), key=lambda pair: -pair[1]) if share > 0}
    if not worst:
        return Suspect("errors", 0.0, "no 5xx")
    text = ", ".join(f"{share:.1%} answered {code}" for code, share in worst.items())
    return Suspect("errors", sum(worst.values()) / MAX_ERROR_RATIO, text)


def _pool(scene: Scene) -> Suspect:
    wait = scene.number(_mean(scene.job, names.DB_POOL_WAIT))
    used = scene.number(
        f'max(sum by (instance) ({names.DB_POOL_CONNECTIONS}{{{scene.job},state="used"}})'
        f" / sum by (instance) ({names.DB_POOL_MAX}{{{scene.job}}}))"
    )
    if wait is None:
        return Suspect("pool", 0.0, "nobody asked for a DB connection")
    text = f"a DB connection takes {_time(wait)} to get" + (f", fullest pool {used:.0%}" if used is not None else "")
    return Suspect("pool", wait / MAX_POOL_WAIT_SECONDS, text)


def _replica_down(scene: Scene) -> Suspect:
    down = [sample.labels["instance"] for sample in scene.prometheus.instant(f"up{{{scene.job}}} == 0")]
    total = scene.number(f"count(up{{{scene.job}}})") or 0
    if not total:
        return Suspect("replica-down", 1.0, f"no replica of {scene.service} is known to Prometheus")
    if not down:
        return Suspect("replica-down", 0.0, f"all {total:.0f} replicas answer")
    return Suspect("replica-down", 1 + len(down) / total, f"not answering: {', '.join(sorted(down))} of {total:.0f}")


def _saturation(scene: Scene) -> Suspect:
    busy = f'max_over_time({names.HTTP_SERVER_THREADS}{{{scene.job},state="busy"}}[{WINDOW}])'
    every = f'{names.HTTP_SERVER_THREADS}{{{scene.job},state="all"}}'
    ratio = scene.number(f"max({busy} / ignoring (state) {every})")
    if ratio is None:
        return Suspect("saturation", 0.0, "no thread count")
    return Suspect("saturation", ratio / MAX_THREADS_BUSY, f"busiest replica used {ratio:.0%} of its threads")


def _upstream(scene: Scene) -> Suspect:
    """A dependency that answers the gateway with errors or not at all."""
    count = f"{names.HTTP_CLIENT_DURATION}_count"
    query = (
        f'sum by ({names.LABEL_UPSTREAM}) (rate({count}{{{scene.job},{names.LABEL_STATUS}!~"[234].."}}[{WINDOW}]))'
        f" / (sum by ({names.LABEL_UPSTREAM}) (rate({count}{{{scene.job}}}[{WINDOW}])) > 0)"
    )
    shares = {s.labels.get(names.LABEL_UPSTREAM, "?"): s.value for s in scene.prometheus.instant(query) if s.value > 0}
    if not shares:
        return Suspect("upstream", 0.0, "every upstream answers")
    text = ", ".join(f"{name}: {share:.1%} of calls fail" for name, share in sorted(shares.items()))
    return Suspect("upstream", max(shares.values()) / MAX_ERROR_RATIO, text)


def _client(scene: Scene) -> Suspect:
    """One client that asks for much of what all ask, among those that ask enough to have a name."""
    named = f'{names.GATEWAY_CLIENT_REQUESTS}{{client!="other"}}'
    greediest = scene.prometheus.instant(f"topk(1, sum by (client) (rate({named}[{WINDOW}])) > 0)")
    every = scene.number(f"sum(rate({names.GATEWAY_CLIENT_REQUESTS}[{WINDOW}]))")
    if not greediest or not every:
        return Suspect("client", 0.0, "no client asks enough to have a name")
    share = greediest[0].value / every
    text = f"{greediest[0].labels.get('client', '?')} asks {greediest[0].value:.0f} times a second, {share:.0%} of all"
    return Suspect("client", share / MAX_CLIENT_SHARE, text)


def _guests(scene: Scene) -> Suspect:
    """A crowd of people who do not say who they are: their share of what the quotas let pass, and that all grew."""
    asked = f"sum(rate({names.GATEWAY_PRIORITY_REQUESTS}[{WINDOW}]))"
    guests = scene.number(f'sum(rate({names.GATEWAY_PRIORITY_REQUESTS}{{priority="guest"}}[{WINDOW}]))') or 0.0
    every = scene.number(asked)
    # Who was there two minutes ago is no crowd that has just come.
    before = scene.number(asked.replace(f"[{WINDOW}]", f"[1m] offset {BEFORE_OFFSET}"))
    if not every:
        return Suspect("guests", 0.0, "nobody asks")
    text = f"{guests:.0f} of {every:.0f} requests/s are by guests" + (f"; {before:.0f}/s before" if before else "")
    share = guests / every / MAX_GUEST_SHARE
    return Suspect("guests", min(share, every / before / CROWD_TIMES_MORE) if before else share, text)


def _retries(scene: Scene) -> Suspect:
    """Retries that reach an upstream, over first calls to it."""
    by = names.LABEL_UPSTREAM
    sent = f'{names.HTTP_CLIENT_RETRIES}{{{scene.job},outcome!="over_budget"'
    query = (
        f'sum by ({by}) (rate({sent},cause!="unreachable"}}[{WINDOW}]))'
        f" / (sum by ({by}) (rate({names.HTTP_CLIENT_DURATION}_count{{{scene.job}}}[{WINDOW}]))"
        f" - sum by ({by}) (rate({sent}}}[{WINDOW}])) > 1)"
    )
    ratios = {s.labels.get(by, "?"): s.value for s in scene.prometheus.instant(query) if s.value > 0}
    if not ratios:
        return Suspect("retries", 0.0, "no retry reaches an upstream")
    text = ", ".join(f"{name}: {ratio:.1f} retries for each first call" for name, ratio in sorted(ratios.items()))
    return Suspect("retries", max(ratios.values()) / MAX_RETRY_RATIO, text)


def _time(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


Judge = Callable[[Scene], Suspect]
_COMMON: dict[str, Judge] = {"errors": _errors, "replica-down": _replica_down, "saturation": _saturation}
_DATA: dict[str, Judge] = {"cache": _cache, "database": _database, "pool": _pool, **_COMMON}
CAUSES: dict[str, dict[str, Judge]] = {
    "feed": {"canary": _canary, **_DATA, "user-service": _user_service},
    "user": _DATA,
    "gateway": {**_COMMON, "upstream": _upstream, "client": _client, "guests": _guests, "retries": _retries},
}


def causes() -> Iterable[str]:
    """Every cause that some service can have."""
    return sorted({cause for judges in CAUSES.values() for cause in judges})
