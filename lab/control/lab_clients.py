"""The lab clients: gateway, pager, Prometheus and audit trail of one running lab, opened together."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lab.clients.gateway import GatewayAdmin
from lab.clients.http import RETRY_READS
from lab.clients.pager import Pager
from lab.clients.prometheus import Prometheus
from lab.control.audit import AuditTrail
from lab.paths import Home, Ports, home, ports


@dataclass(frozen=True)
class LabClients:
    """The clients of one lab, and the audit trail in the name of one actor."""

    home: Home
    ports: Ports
    gateway: GatewayAdmin
    pager: Pager
    prometheus: Prometheus
    trail: AuditTrail

    @classmethod
    def here(cls, actor: str | None = None) -> LabClients:
        """The clients of the lab in FLEETOPS_HOME, on FLEETOPS_PORT_BASE. NotRunning when no lab was started there."""
        lab_home, lab_ports = home(), ports()
        pager = Pager.of(lab_home, lab_ports)
        trail = AuditTrail.of(lab_home, pager, actor)
        gateway, prometheus = GatewayAdmin.of(lab_home, lab_ports), Prometheus.of(lab_home, lab_ports)
        return cls(lab_home, lab_ports, gateway, pager, prometheus, trail)

    def acting_as(self, actor: str) -> LabClients:
        """The same clients, auditing in the name of another actor."""
        return replace(self, trail=replace(self.trail, actor=actor))

    def retry_reads(self) -> None:
        """Retry reads so that long-running work survives a peer's restart."""
        for client in (self.gateway, self.pager, self.prometheus):
            client.http.retries = RETRY_READS
