"""The on-call policy as the pager has it."""

from __future__ import annotations

from lab import units
from lab.oncall import escalation
from lab.site.sources.context import Book


def escalation_after(_book: Book) -> str:
    """How long a page may wait for its acknowledgement before the pager escalates it: `5 min`."""
    return units.seconds(escalation.AFTER_SECONDS)


def escalation_to(_book: Book) -> str:
    """The role that an escalated page goes to: `secondary on-call`."""
    return escalation.TO


VIEWS = (escalation_after, escalation_to)
