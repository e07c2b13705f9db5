"""A certificate that expires because its renewal failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lab.clients.times import utc_text
from lab.control import admin_clients, certificates
from lab.drills.faults.base import Captured, Fault
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import choice, number

# A certificate with a shorter lifetime was issued by this fault.
SHORT_SECONDS = 86_400.0


@dataclass(frozen=True)
class ShortCertificate(Fault):
    """The issuing pipeline gives a server a certificate that soon expires, and nothing renews it."""

    kind: ClassVar[str] = "short-certificate"
    actor: ClassVar[str] = "cert-pipeline"
    server: str = choice(admin_clients.link_names, "The server that gets the certificate.")
    lifetime_seconds: float = number(5, 3600, "Its validity.")

    def inject(self, context: FaultContext) -> None:
        """Issue the certificate, which new connections get from then on."""
        pipeline = context.clients.acting_as(self.actor)
        _, new = certificates.rotate(pipeline, self.server, "scheduled issue", self.lifetime_seconds)
        context.report(f"{self.actor} gave {self.server} a certificate that expires at {utc_text(new.not_after)}")

    def undo(self, context: FaultContext, captured: Captured) -> list[str]:
        """Issue a certificate with the usual lifetime, unless a responder has done so."""
        shown = certificates.shown(context.clients)
        now = next(certificate for certificate in shown if certificate.name == self.server)
        if now.not_after - now.not_before > SHORT_SECONDS:
            return []
        certificates.rotate(context.clients, self.server, "the drill is over")
        return [f"{self.server} has a certificate of the usual lifetime"]
