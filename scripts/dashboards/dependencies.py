"""The dashboard of what the services call: each other, the cache and the database."""

from __future__ import annotations

from lab import names
from lab.slo.query.builders import mean, quantile, rate
from scripts.dashboards import limits
from scripts.dashboards.board import Board, Row
from scripts.dashboards.panels import GREEN, ORANGE, RED, WINDOW, Panel, Query, chart, number, states

CALLS = f"{names.HTTP_CLIENT_DURATION}_count"
BREAKER: dict[float, tuple[str, str]] = {0: ("closed", GREEN), 1: ("half-open", ORANGE), 2: ("open", RED)}


def board() -> Board:
    """The dashboard."""
    return Board(
        "fleetops-dependencies",
        "Dependencies",
        "What the services call and wait for: upstream services, the feed cache, and PostgreSQL.",
        (
            Row("Now", _now()),
            Row("Upstream services", (_calls(), _call_errors(), _call_latency(), _network(), _retries(), _breakers())),
            Row("Cache", (_hit_ratio(), _lookups())),
            Row("Database", (_operations(), _pools(), _pool_wait(), _sessions(), _locks(), _transactions())),
        ),
    )


def _now() -> tuple[Panel, ...]:
    return (
        number(
            "Targets down",
            "Processes that Prometheus cannot scrape.",
            "none",
            Query("count(up == 0) or vector(0)", "targets"),
            width=6, base=GREEN, steps=((1, RED),),
        ),
        number(
            "Database",
            "Whether the exporter can query PostgreSQL.",
            "none",
            Query(f"min({names.DB_UP})", "database"),
            width=6, texts={0: ("down", RED), 1: ("up", GREEN)},
        ),
        number(
            "Feed cache hit ratio",
            "Lookups that the feed cache answered in the last minute. Below the limit, the database carries load that "
            "the cache should carry.",
            "percentunit",
            Query("feed:cache_hits:ratio_rate1m", "hit ratio"),
            width=6, base=ORANGE, steps=((limits.limit("CacheHitRatioLow"), GREEN),), decimals=1,
        ),
        number(
            "Sessions waiting for a lock",
            "Database sessions that wait because another session holds a lock.",
            "none",
            Query(f"sum({names.DB_LOCK_WAITERS}) or vector(0)", "sessions"),
            width=6, base=GREEN, steps=((limits.limit("DatabaseLockWaiters"), RED),),
        ),
    )  # fmt: skip


def _calls() -> Panel:
    return chart(
        "Calls to upstreams",
        "Calls a second from each service to each upstream, retries included.",
        "reqps",
        [Query(_by_edge(CALLS), "{{job}} to {{upstream}}")],
    )


def _call_errors() -> Panel:
    failed, calls = _by_edge(CALLS, 'http_response_status_code!~"[1-4].."'), _by_edge(CALLS)
    return chart(
        "Failed calls",
        "The part of calls that ended in a 5xx, a timeout or no connection, before any retry.",
        "percentunit",
        [Query(f"({failed} or 0 * {calls}) / {calls}", "{{job}} to {{upstream}}")],
        maximum=1,
    )


def _call_latency() -> Panel:
    return chart(
        "Latency of calls from the gateway",
        "How long the gateway waits for each upstream. Each dot is a call; select it to open its trace.",
        "s",
        [
            Query(
                quantile(0.99, names.HTTP_CLIENT_DURATION, WINDOW, f'job="gateway",upstream="{upstream}"'),
                f"{upstream} p99",
                exemplars=True,
            )
            for upstream in (names.UPSTREAM_FEED, names.UPSTREAM_USER)
        ],
    )


def _network() -> Panel:
    return chart(
        "Network between the gateway and each replica",
        "How much longer the gateway waits for a replica than the replica says it took: the network, and waiting on "
        "both sides. The line is where CrossTierLatency opens a ticket.",
        "s",
        [Query("gateway:upstream_network:seconds_mean15s", "{{instance}}")],
        lines=[limits.guardrail("CrossTierLatency")],
    )


def _retries() -> Panel:
    def retries(matchers: str) -> str:
        return _by_edge(names.HTTP_CLIENT_RETRIES, matchers)

    sent = 'outcome!="over_budget"'
    counted = retries(f'cause!="unreachable",{sent}')
    first = f"({_by_edge(CALLS)} - {retries(sent)})"
    return chart(
        "Retries per call",
        "Retries of calls that reached the upstream, per first call. Retries multiply the load on an upstream that is "
        "already overloaded. The line is where RetryRatioHigh opens a ticket.",
        "percentunit",
        [Query(f"{counted} / {first}", "{{job}} to {{upstream}}")],
        lines=[limits.guardrail("RetryRatioHigh")],
    )


def _breakers() -> Panel:
    opened, half = (f'{names.BREAKER_STATE}{{state="{state}"}}' for state in ("open", "half-open"))
    return states(
        "Circuit breakers",
        "An open breaker answers at once instead of calling an upstream that fails; half open, it tries a few calls.",
        [Query(f"max by (job, upstream) (2 * {opened} + ignoring (state) {half})", "{{job}} to {{upstream}}")],
        BREAKER,
        width=12,
    )


def _hit_ratio() -> Panel:
    return chart(
        "Feed cache hit ratio",
        "Over one minute. The line is where CacheHitRatioLow opens a ticket: doubling the misses doubles the feed load "
        "on the database.",
        "percentunit",
        [Query("feed:cache_hits:ratio_rate1m", "hit ratio")],
        lines=[limits.guardrail("CacheHitRatioLow")],
        maximum=1,
    )


def _lookups() -> Panel:
    feed = 'cache="feed"'
    return chart(
        "Feed cache lookups",
        "By result. Coalesced misses waited for a fetch that was already in flight; lost entries were gone before "
        "their TTL, by eviction or a flush.",
        "reqps",
        [
            Query(rate(names.CACHE_REQUESTS, WINDOW, feed, by="result"), "{{result}}"),
            Query(rate(names.CACHE_COALESCED, WINDOW, feed), "coalesced"),
            Query(rate(names.CACHE_LOST, WINDOW, feed), "lost entries"),
        ],
    )


def _operations() -> Panel:
    return chart(
        "Duration of database operations",
        "The mean of each operation over two minutes, measured by the services. DatabaseLatencyDrift compares it with "
        "its own past.",
        "s",
        [Query("db:operation:seconds_mean2m", "{{job}} {{db_operation_name}}")],
    )


def _pools() -> Panel:
    used = f'{names.DB_POOL_CONNECTIONS}{{job=~"feed|user",state="used"}}'
    return chart(
        "Database connections in use",
        "The part of each replica's pool that is in use. When it is full, requests wait for a connection. The line is "
        "where PoolSaturation opens a ticket.",
        "percentunit",
        [Query(f"{used} / ignoring (state) {names.DB_POOL_MAX}", "{{instance}}")],
        lines=[limits.guardrail("PoolSaturation")],
        maximum=1,
    )


def _pool_wait() -> Panel:
    return chart(
        "Wait for a database connection",
        "The mean wait of a request for a connection of its pool. The line is where DatabasePoolWait opens a ticket.",
        "s",
        [Query(mean(names.DB_POOL_WAIT, WINDOW, by="job"), "{{job}}")],
        lines=[limits.guardrail("DatabasePoolWait")],
    )


def _sessions() -> Panel:
    return chart(
        "Database sessions",
        "By state. Sessions that are idle in a transaction keep their locks and their connection; the services never "
        "have any.",
        "none",
        [
            Query(f"sum by (state) ({names.DB_SESSIONS})", "{{state}}"),
            Query(f"max({names.DB_SESSIONS_MAX})", "maximum"),
        ],
        references=["maximum"],
    )


def _locks() -> Panel:
    return chart(
        "Lock waiters",
        "Sessions that wait for a lock, by the mode that they want. ACCESS EXCLUSIVE is a schema change: every query "
        "behind it waits too. The line is where DatabaseLockWaiters opens a ticket.",
        "none",
        [Query(f"sum by (mode) ({names.DB_LOCK_WAITERS}) or on () vector(0)", "{{mode}}")],
        lines=[limits.guardrail("DatabaseLockWaiters")],
    )


def _transactions() -> Panel:
    return chart(
        "Oldest transactions",
        "The age of the oldest transaction, and of the oldest one that is idle. The line is where "
        "DatabaseIdleInTransaction opens a ticket.",
        "s",
        [
            Query(f"max({names.DB_TRANSACTION_OLDEST}) or vector(0)", "oldest"),
            Query(f"max({names.DB_IDLE_IN_TRANSACTION_OLDEST})", "oldest idle"),
        ],
        lines=[limits.guardrail("DatabaseIdleInTransaction")],
    )


def _by_edge(counter: str, matchers: str = "") -> str:
    """The rate of a counter for each pair of a calling service and an upstream."""
    selector = f"{counter}{{{matchers}}}" if matchers else counter
    return f"sum by (job, upstream) (rate({selector}[{WINDOW}]))"
