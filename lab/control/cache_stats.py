"""What the caches do now, in numbers: from Prometheus, and from the cache itself."""

from __future__ import annotations

from lab import names
from lab.control.lab_clients import LabClients
from lab.errors import ToolError
from lab.stack.backends import valkey

WINDOW = "15s"


def read(clients: LabClients) -> dict[str, float | None]:
    """Ratios (0-1), rates (per second, over WINDOW) and sizes by name; None where nothing was measured."""
    import valkey as client
    from valkey.exceptions import ValkeyError

    found: dict[str, float | None] = {}
    try:
        with client.Valkey.from_url(valkey.url(clients.ports.valkey), socket_timeout=2) as cache:
            found["entries"] = int(cache.dbsize())
            info = cache.info()
            found["memory_bytes"] = int(info["used_memory"])
            found["evicted_entries"] = int(info["evicted_keys"])
    except ValkeyError as problem:
        raise ToolError(f"the cache does not answer: {problem}; see 'fleetops status'") from problem
    for name in ("feed", "user"):
        looked = f'sum(rate({names.CACHE_REQUESTS}{{cache="{name}"}}[{WINDOW}]))'
        found[f"{name}_lookups_per_second"] = clients.prometheus.number(looked)
        for result in ("hit", "stale"):
            part = f'sum(rate({names.CACHE_REQUESTS}{{cache="{name}",result="{result}"}}[{WINDOW}]))'
            found[f"{name}_{result}_ratio"] = clients.prometheus.number(f"{part} / ({looked} > 0)")
    rates = {
        "feed_coalesced_per_second": names.CACHE_COALESCED,
        "feed_refreshes_per_second": names.CACHE_REFRESHES,
        "feed_db_rankings_per_second": f'{names.DB_OPERATION_DURATION}_count{{db_operation_name="feed.rank"}}',
    }
    found |= {name: clients.prometheus.number(f"sum(rate({what}[{WINDOW}]))") for name, what in rates.items()}
    return {name: value if value is None else round(value, 3) for name, value in found.items()}
