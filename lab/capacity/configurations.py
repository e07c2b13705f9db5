"""The configurations of a sweep: each changes one thing of the default, through the lab's own control state."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import valkey
from valkey.exceptions import ValkeyError

from lab import names
from lab.control import gateway_settings
from lab.control.lab_clients import LabClients
from lab.drills.schema.journal import ControlState
from lab.drills.undo.snapshot import restore
from lab.errors import LabError, NotRunning, UsageError
from lab.names import UPSTREAM_FEED, UPSTREAM_USER
from lab.services.feed.options import DEFAULT_TTL_SECONDS
from lab.services.feed.page_cache import KEEP_STALE_SECONDS
from lab.services.gateway.flags import SINGLE_FLIGHT
from lab.stack import configs
from lab.stack.backends import valkey as cache
from lab.stack.health import status

DEFAULT = "default"
ACTOR = "capacity-sweep"
READY_SECONDS = 60.0


@dataclass(frozen=True)
class Configuration:
    """One change of the default configuration.

    `replicas` by service, `flags`, the TTL of cached feeds in seconds, and the database connections of each replica as
    a ratio of the default. `settings` of the services' configuration by service. `lost` is a replica that is killed
    under load and stays down.
    """

    name: str
    title: str
    replicas: Mapping[str, int] = field(default_factory=dict)
    flags: Mapping[str, bool] = field(default_factory=dict)
    feed_ttl_seconds: float = DEFAULT_TTL_SECONDS
    pool_ratio: float = 1.0
    settings: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    lost: str = ""


CONFIGURATIONS = (
    Configuration(DEFAULT, "two replicas of each service, feeds cached for 300 s"),
    Configuration("n-1", "one of the two feed replicas lost", lost="feed-1"),
    Configuration("feed-1", "one feed replica", replicas={UPSTREAM_FEED: 1}),
    Configuration("feed-3", "three feed replicas", replicas={UPSTREAM_FEED: 3}),
    Configuration("user-1", "one user replica", replicas={UPSTREAM_USER: 1}),
    Configuration("user-3", "three user replicas", replicas={UPSTREAM_USER: 3}),
    Configuration("ttl-halved", "feeds cached for 150 s", feed_ttl_seconds=DEFAULT_TTL_SECONDS / 2),
    Configuration("ttl-doubled", "feeds cached for 600 s", feed_ttl_seconds=DEFAULT_TTL_SECONDS * 2),
    Configuration("pool-halved", "half the database connections for each replica", pool_ratio=0.5),
    Configuration("single-flight", "one request at a time builds a feed", flags={SINGLE_FLIGHT: True}),
)


def known(wanted: Sequence[str]) -> list[Configuration]:
    """The configurations with these names, or all. Raises UsageError for an unknown one."""
    by_name = {configuration.name: configuration for configuration in CONFIGURATIONS}
    for name in wanted:
        if name not in by_name:
            raise UsageError(f"no configuration {name!r}; there are {', '.join(by_name)}")
    return [by_name[name] for name in dict.fromkeys(wanted)] if wanted else list(CONFIGURATIONS)


def control_state(clients: LabClients, base: ControlState, configuration: Configuration) -> ControlState:
    """The control state of a configuration, `base` being the default's.

    A smaller pool is a new version of the service's configuration, written here and activated with the state.
    """
    changes: dict[str, dict[str, int]] = {service: dict(each) for service, each in configuration.settings.items()}
    if configuration.pool_ratio != 1:
        for service, connections in _pools(clients).items():
            changes.setdefault(service, {})["pool_max"] = max(1, int(connections * configuration.pool_ratio))
    versions = {}
    for service, changed in changes.items():
        settings = {**configs.find(clients.home, service, base.configs[service]).settings, **changed}
        versions[service] = configs.write(clients.home, service, settings, ACTOR, configuration.title).version
    return msgspec.structs.replace(
        base,
        replicas={**base.replicas, **configuration.replicas},
        flags={**base.flags, **configuration.flags},
        configs={**base.configs, **versions},
        parts={**base.parts, gateway_settings.CACHE: {"feed_ttl_seconds": configuration.feed_ttl_seconds}},
    )


def enter(clients: LabClients, state: ControlState, ttl_seconds: float, reason: str) -> None:
    """Change the lab to a control state, wait until it is ready, and spread the expiry of the cached feeds.

    Raises LabError when it does not become ready.
    """
    restore(clients, state, reason)
    end = time.monotonic() + READY_SECONDS
    while not (now := status.gather(clients.home, clients.ports)).ready:
        if time.monotonic() > end:
            raise LabError(f"the lab is not ready after a change: {'; '.join(now.waiting_for)}")
        time.sleep(0.5)
    age_feeds(clients, ttl_seconds)


def age_feeds(clients: LabClients, ttl_seconds: float) -> None:
    """Give every cached feed a remaining lifetime as it would have in a long run with this TTL: uniform from 0 to it.

    Otherwise the effect of another TTL would only show after a TTL, and then for all feeds at once.
    """
    client = valkey.Valkey.from_url(cache.url(clients.ports.valkey), socket_timeout=5)
    chance = random.Random(int(ttl_seconds))  # noqa: S311 - a workload
    try:
        for key in client.scan_iter("feed:1.0:*"):
            client.pexpire(key, int((KEEP_STALE_SECONDS + chance.uniform(0, ttl_seconds)) * 1000))
    except ValkeyError as error:
        raise NotRunning(f"the cache does not answer: {error}; see `fleetops status`") from None
    finally:
        client.close()  # type: ignore[no-untyped-call]


def _pools(clients: LabClients) -> dict[str, float]:
    """The database connections of a replica of each service."""
    samples = clients.prometheus.instant(f'max by (job) ({names.DB_POOL_MAX}{{job=~"user|feed"}})')
    return {sample.labels["job"]: sample.value for sample in samples}
