"""Certificates of the servers inside the lab: show when they expire, and issue new ones."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lab.clients.times import utc_text
from lab.control.admin_clients import LinkAdmin, link_names
from lab.control.lab_clients import LabClients

# The cryptography library takes 9 MiB of memory, so it is imported only by the functions that need it.
if TYPE_CHECKING:
    from lab.stack.backends.certificates import Certificate


def shown(clients: LabClients) -> list[Certificate]:
    """The certificate of every server that has one, earliest expiry first. LabError when one cannot be read."""
    from lab.stack.backends import certificates

    served = (certificates.read(clients.home.certificate(name)) for name in link_names())
    return sorted(served, key=lambda certificate: certificate.not_after)


def rotate(
    clients: LabClients, name: str, reason: str = "", lifetime_seconds: float | None = None
) -> tuple[Certificate, Certificate]:
    """Issue a new certificate to the server `name` and have it reload; returns the old and the new certificate.

    The lifetime is LIFETIME_DAYS unless `lifetime_seconds` is given. Open connections stay open. Raises UsageError for
    an unknown server and NotRunning for one that does not answer, both before anything is written.
    """
    from lab.stack.backends import certificates

    link = LinkAdmin.of(clients.home, clients.ports, name)
    link.extra_delay_seconds()  # NotRunning before anything is written
    old = certificates.read(clients.home.certificate(name))
    usual_seconds = certificates.LIFETIME_DAYS * certificates.DAY_SECONDS
    with clients.trail.action("cert rotate", name, reason=reason) as change:
        change.old = _expiry(old)
        new = certificates.issue(clients.home, name, lifetime_seconds or usual_seconds, time.time())
        link.reload_certificate()
        change.new = _expiry(new)
    return old, new


def _expiry(certificate: Certificate) -> str:
    return utc_text(certificate.not_after)
