"""What on-call may do about certificates: look when they end, and issue new ones."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lab.clients.times import utc_text
from lab.control.admin_clients import LinkAdmin, link_names
from lab.control.lab_clients import LabClients

# What makes certificates is 9 MiB of library: only who looks at one or issues one has it.
if TYPE_CHECKING:
    from lab.stack.backends.certificates import Certificate


def shown(clients: LabClients) -> list[Certificate]:
    """The certificate of every server that has one, the first to end first."""
    from lab.stack.backends import certificates

    found = [certificates.read(clients.home.certificate(name)) for name in link_names()]
    return sorted(found, key=lambda one: one.not_after)


def rotate(
    clients: LabClients, name: str, reason: str = "", lifetime_seconds: float | None = None
) -> tuple[Certificate, Certificate]:
    """Issue a new certificate to the server `name`, and have it show that to new connections; the old and the new.

    It is good for the usual time unless another is given. Connections that stand are not ended. UsageError for a name
    that has none, NotRunning before anything is written.
    """
    from lab.stack.backends import certificates

    link = LinkAdmin.of(clients.home, clients.ports, name)
    link.extra_delay_seconds()  # NotRunning before anything is written
    old = certificates.read(clients.home.certificate(name))
    usual_seconds = certificates.LIFETIME_DAYS * certificates.DAY_SECONDS
    with clients.trail.action("cert rotate", name, reason=reason) as change:
        change.old = _until(old)
        new = certificates.issue(clients.home, name, lifetime_seconds or usual_seconds, time.time())
        link.reload_certificate()
        change.new = _until(new)
    return old, new


def _until(one: Certificate) -> str:
    return utc_text(one.not_after)
