"""A certificate that ends, because what should have renewed it did not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lab.clients.times import utc_text
from lab.control import admin_clients, certificates
from lab.drills.faults.base import Fault
from lab.drills.faults.context import FaultContext
from lab.drills.schema.parameters import choice, number

# Less than this left, and the certificate there is now is this fault's.
SHORT_SECONDS = 86_400.0


@dataclass(frozen=True)
class ShortCertificate(Fault):
    """The issuing pipeline gives a server a certificate that ends in a moment, and nobody renews it."""

    kind: ClassVar[str] = "short-certificate"
    actor: ClassVar[str] = "cert-pipeline"
    server: str = choice(admin_clients.link_names, "Whose certificate.")
    lifetime_seconds: float = number(5, 3600, "How long it is good.")

    def inject(self, context: FaultContext) -> None:
        """Issue it; new connections are shown it from now on."""
        pipeline = context.clients.acting_as(self.actor)
        _, new = certificates.rotate(pipeline, self.server, "scheduled issue", self.lifetime_seconds)
        context.report(f"{self.actor} gave {self.server} a certificate that ends at {utc_text(new.not_after)}")

    def undo(self, context: FaultContext, found: dict[str, Any]) -> list[str]:
        """A certificate of the usual length, unless somebody has seen to that."""
        now = next(one for one in certificates.shown(context.clients) if one.name == self.server)
        if now.not_after - now.not_before > SHORT_SECONDS:
            return []
        certificates.rotate(context.clients, self.server, "the drill is over")
        return [f"{self.server} has a certificate of the usual length"]
