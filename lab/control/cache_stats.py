"""Cache statistics, from Prometheus and from the cache server."""

from __future__ import annotations

from lab import names
from lab.control.lab_clients import LabClients
from lab.errors import NotRunning
from lab.slo.query.builders import rate, ratio
from lab.stack.backends import valkey

WINDOW = "15s"


def read(clients: LabClients) -> dict[str, float | None]:
    """Ratios (0 to 1), rates (per second, over WINDOW) and sizes, by name; None for a value without samples.

    Raises NotRunning when the cache or Prometheus does not answer.
    """
    import valkey as client
    from valkey.exceptions import ValkeyError

    stats: dict[str, float | None] = {}
    try:
        with client.Valkey.from_url(valkey.url(clients.ports.valkey), socket_timeout=2) as cache:
            stats["entries"] = int(cache.dbsize())
            info = cache.info()
            stats["memory_bytes"] = int(info["used_memory"])
            stats["evicted_entries"] = int(info["evicted_keys"])
    except ValkeyError as error:
        raise NotRunning(f"the cache does not answer: {error}; see `fleetops status`") from error
    for name in ("feed", "user"):
        lookups = rate(names.CACHE_REQUESTS, WINDOW, f'cache="{name}"')
        stats[f"{name}_lookups_per_second"] = clients.prometheus.number(lookups)
        for result in ("hit", "stale"):
            matching = rate(names.CACHE_REQUESTS, WINDOW, f'cache="{name}",result="{result}"')
            stats[f"{name}_{result}_ratio"] = clients.prometheus.number(ratio(matching, lookups))
    rates = {
        "feed_coalesced_per_second": rate(names.CACHE_COALESCED, WINDOW),
        "feed_refreshes_per_second": rate(names.CACHE_REFRESHES, WINDOW),
        "feed_db_rankings_per_second": rate(
            f"{names.DB_OPERATION_DURATION}_count", WINDOW, 'db_operation_name="feed.rank"'
        ),
    }
    stats |= {name: clients.prometheus.number(query) for name, query in rates.items()}
    return {name: value if value is None else round(value, 3) for name, value in stats.items()}
