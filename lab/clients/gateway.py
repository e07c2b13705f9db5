"""The gateway's admin API."""

from __future__ import annotations

from typing import Any

from lab.clients.documents import Document, as_builtins, convert
from lab.clients.http import JsonClient
from lab.clients.pager import read_token
from lab.paths import LOOPBACK, Home, Ports
from lab.services.gateway.priority import Shed
from lab.services.gateway.rate_limit import Quota
from lab.services.retry import RetryPolicy

PartSettings = dict[str, Any]  # the settings of one part of the gateway, by name; the gateway checks them


class Canary(Document, frozen=True, kw_only=True):
    """The share of users that are routed to the canary, in percent."""

    weight_percent: float


class Flag(Document, frozen=True, kw_only=True):
    """A feature flag: whether it is on, and a description."""

    enabled: bool
    help: str = ""


class FeedCache(Document, frozen=True, kw_only=True):
    """The TTL of cached feeds."""

    feed_ttl_seconds: float


class GatewayState(Document, frozen=True, kw_only=True):
    """The answer of GET /admin/state: every setting of the gateway that can change while it runs."""

    canary: Canary
    flags: dict[str, Flag]
    ratelimit: Quota
    shed: Shed
    retry: RetryPolicy
    breakers: dict[str, str]  # mode by upstream: off, auto, open
    cache: FeedCache
    timeouts: dict[str, float]  # seconds by upstream
    upstreams: dict[str, list[str]]  # base URLs by upstream

    def part(self, name: str) -> PartSettings:
        """One part as plain JSON, in the form that `GatewayAdmin.set_part` takes."""
        return dict(as_builtins(getattr(self, name)))


class GatewayAdmin:
    """Reads and sets the gateway's state. Raises UsageError with the gateway's reason when it refuses a request."""

    def __init__(self, url: str, token: str) -> None:
        self.http = JsonClient(url, what="the gateway", token=token)

    @classmethod
    def of(cls, home: Home, ports: Ports) -> GatewayAdmin:
        """The gateway of the lab in `home` on `ports`; NotRunning when no lab was ever started there."""
        return cls(f"http://{LOOPBACK}:{ports.gateway_admin}", read_token(home))

    def state(self) -> GatewayState:
        """Every setting that can change while the gateway runs."""
        return convert(self.http.call("GET", "/admin/state"), GatewayState, self.http.what)

    def canary_weight(self) -> float:
        """The percentage of users that are routed to the canary."""
        return self.state().canary.weight_percent

    def set_canary_weight(self, percent: float) -> None:
        """Route `percent` (0 to 100) of users to the canary."""
        self.http.call("PUT", "/admin/canary", {"weight_percent": percent})

    def set_flag(self, name: str, enabled: bool) -> None:
        """Turn a flag on or off."""
        self.http.call("PUT", f"/admin/flags/{name}", {"enabled": enabled})

    def set_part(self, part: str, value: PartSettings) -> None:
        """Set the part of the state at /admin/`part`; keys that `value` leaves out keep their values."""
        self.http.call("PUT", f"/admin/{part}", value)
