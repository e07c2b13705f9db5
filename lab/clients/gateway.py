"""The gateway's admin API."""

from __future__ import annotations

from typing import Any

from lab.clients.http import JsonClient
from lab.clients.pager import read_token
from lab.paths import LOOPBACK, Home, Ports


class GatewayAdmin:
    """Reads and sets the gateway's state. Refusals come back as UsageError, in the gateway's words."""

    def __init__(self, url: str, token: str) -> None:
        self.http = JsonClient(url, what="the gateway", token=token)

    @classmethod
    def of(cls, home: Home, ports: Ports) -> GatewayAdmin:
        """The gateway of the lab that lives in `home` on `ports`."""
        return cls(f"http://{LOOPBACK}:{ports.gateway_admin}", read_token(home))

    def state(self) -> dict[str, Any]:
        """Everything that can be set: canary, flags, ratelimit, shed, retry, breakers, cache, timeouts, upstreams."""
        return dict(self.http.call("GET", "/admin/state"))

    def canary_weight(self) -> float:
        """The percentage of users that the canary serves."""
        return float(self.state()["canary"]["weight_percent"])

    def set_canary_weight(self, percent: float) -> None:
        """Send `percent` of users to the canary."""
        self.http.call("PUT", "/admin/canary", {"weight_percent": percent})

    def set_flag(self, name: str, enabled: bool) -> None:
        """Switch a flag."""
        self.http.call("PUT", f"/admin/flags/{name}", {"enabled": enabled})

    def set_part(self, part: str, value: dict[str, Any]) -> None:
        """Set a part of the state whose address is its name; what `value` does not name stays."""
        self.http.call("PUT", f"/admin/{part}", value)
