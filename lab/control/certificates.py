"""What on-call may do about certificates: look when they end, and issue new ones."""

from __future__ import annotations

import time

from lab.control.desk import Desk
from lab.control.machines import LinkAdmin, link_names
from lab.oncall.times import utc_text
from lab.stack import certificates
from lab.stack.certificates import Certificate


def shown(desk: Desk) -> list[Certificate]:
    """The certificate of every server that has one, the first to end first."""
    found = [certificates.read(certificates.file(desk.home, name)) for name in link_names()]
    return sorted(found, key=lambda one: one.not_after)


def rotate(
    desk: Desk, name: str, reason: str = "", lifetime_seconds: float = certificates.LIFETIME_DAYS * 86_400
) -> tuple[Certificate, Certificate]:
    """Issue a new certificate to the server `name`, and have it show that to new connections; the old and the new.

    Connections that stand are not ended. UsageError for a name that has none, NotRunning before anything is written.
    """
    link = LinkAdmin.of(desk.home, desk.ports, name)
    link.extra_delay_seconds()  # NotRunning before anything is written
    old = certificates.read(certificates.file(desk.home, name))
    with desk.trail.action("cert rotate", name, reason=reason) as change:
        change.old = _until(old)
        new = certificates.issue(desk.home, name, lifetime_seconds, time.time())
        link.reload_certificate()
        change.new = _until(new)
    return old, new


def _until(one: Certificate) -> str:
    return utc_text(one.not_after)
