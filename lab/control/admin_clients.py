"""Clients of the admin APIs of the links (TCP delay proxies between tiers) and of the load generator."""

from __future__ import annotations

from typing import Any

from lab import paths
from lab.clients.http import JsonClient
from lab.clients.pager import read_token
from lab.errors import UsageError
from lab.paths import Home, Ports
from lab.stack import replicas
from lab.stack.programs import Program, url


def _links(home: Home, ports: Ports) -> dict[str, Program]:
    return {name: program for name, program in replicas.known(home, ports).items() if program.job == "link"}


def link_names() -> list[str]:
    """The process names of the links between tiers."""
    return list(_links(paths.home(), paths.ports()))


class LinkAdmin:
    """One link: its extra delay and its TLS certificate. Methods raise NotRunning when it does not answer."""

    def __init__(self, base_url: str, token: str, name: str) -> None:
        self.http = JsonClient(base_url, what=name, token=token)

    @classmethod
    def of(cls, home: Home, ports: Ports, name: str) -> LinkAdmin:
        """The link `name` of a lab. An unknown name raises UsageError, which lists the links."""
        links = _links(home, ports)
        if name not in links:
            raise UsageError(f"no link {name!r}; the links are {', '.join(links)}")
        return cls(url(links[name].metrics_port), read_token(home), name)

    def extra_delay_seconds(self) -> float:
        """Seconds added to each round trip now."""
        return float(self.http.call("GET", "/admin/state")["extra_delay_seconds"])

    def reload_certificate(self) -> float:
        """Reload the certificate file for new connections; returns when the certificate expires (epoch seconds)."""
        return float(self.http.call("PUT", "/admin/certificate", {})["new"])

    def set_extra_delay(self, seconds: float) -> None:
        """Add `seconds` (0 to LINK_MAX_DELAY_SECONDS) to each round trip."""
        self.http.call("PUT", "/admin/delay", {"extra_delay_seconds": seconds})


class TrafficAdmin:
    """The load generator: its arrival rate and its extra load. Methods raise NotRunning when it does not answer."""

    def __init__(self, base_url: str, token: str) -> None:
        self.http = JsonClient(base_url, what="the load generator", token=token)

    @classmethod
    def of(cls, home: Home, ports: Ports) -> TrafficAdmin:
        """The load generator of a lab."""
        return cls(url(ports.traffic_admin), read_token(home))

    def state(self) -> dict[str, Any]:
        """Its state: `rate` (arrivals a second), `outstanding` (requests in flight), `extra` (see `extra`)."""
        return dict(self.http.call("GET", "/admin/state"))

    def rate(self) -> float:
        """The configured arrivals a second."""
        return float(self.state()["rate"])

    def set_rate(self, rate: float) -> None:
        """Offer `rate` arrivals a second."""
        self.http.call("PUT", "/admin/rate", {"rate": rate})

    def extra(self) -> dict[str, Any] | None:
        """The extra load: {client_id, rate, people, ramp_seconds}; None when there is none."""
        return self.state()["extra"] or None

    def set_extra(self, client_id: str, rate: float, people: int = 0, ramp_seconds: float = 0) -> None:
        """Add `rate` requests a second, by one client or a crowd of `people`, over `ramp_seconds`; 0 ends it."""
        load = {"client_id": client_id, "rate": rate, "people": people, "ramp_seconds": ramp_seconds}
        self.http.call("PUT", "/admin/extra", load)
