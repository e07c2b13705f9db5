"""The pager's escalation policy on pages."""

from __future__ import annotations

from lab import units
from lab.oncall import escalation
from lab.site.sources.context import SiteContext


def escalation_after(_context: SiteContext) -> str:
    """How long a page stays unacknowledged before the pager escalates it, as text: `5 min`."""
    return units.seconds(escalation.AFTER_SECONDS)


def escalation_to(_context: SiteContext) -> str:
    """The role to which the pager escalates: `secondary on-call`."""
    return escalation.TO


VIEWS = (escalation_after, escalation_to)
