"""The on-call clients: every part of one running lab that a verb, a runbook or a drill reaches, opened together."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lab.clients.gateway import GatewayAdmin
from lab.clients.http import PATIENT
from lab.clients.pager import Pager
from lab.clients.prometheus import Prometheus
from lab.control.audit import AuditTrail
from lab.paths import Home, Ports, home, ports


@dataclass(frozen=True)
class LabClients:
    """Clients of one lab, and the audit trail under one actor's name."""

    home: Home
    ports: Ports
    gateway: GatewayAdmin
    pager: Pager
    prometheus: Prometheus
    trail: AuditTrail

    @classmethod
    def here(cls, actor: str | None = None) -> LabClients:
        """The clients of the lab in FLEETOPS_HOME, on FLEETOPS_PORT_BASE; NotRunning when none was started there."""
        here, at = home(), ports()
        pager = Pager.of(here, at)
        trail = AuditTrail.of(here, pager, actor)
        return cls(here, at, GatewayAdmin.of(here, at), pager, Prometheus.of(here, at), trail)

    def acting_as(self, actor: str) -> LabClients:
        """The same clients with another name in the audit log."""
        return replace(self, trail=replace(self.trail, actor=actor))

    def retry_reads(self) -> None:
        """From now on outlast a restart of whom it asks, as work of minutes must."""
        for client in (self.gateway, self.pager, self.prometheus):
            client.http.retries = PATIENT
