"""Macros of runbook pages: branches that several alerts share, and the commands that verify a recovery."""

from __future__ import annotations

from collections.abc import Iterable

from lab.drills.runbook.includes import Line, Shared
from lab.site.sources.context import SiteContext


def branch(context: SiteContext, title: str, **values: str) -> str:
    """A shared branch as Markdown, with its title first. `values` has a value for each `$name` in it."""
    return _text(_shared(context).branch(title, **values))


def recovered(context: SiteContext, alert: str, **values: str) -> str:
    """The commands that verify that an alert has recovered, one per line."""
    return _text(_shared(context).recovered(alert, **values))


def _shared(context: SiteContext) -> Shared:
    return Shared(context.docs / context.page())


def _text(lines: Iterable[Line]) -> str:
    return "\n".join(line.text for line in lines)


VIEWS = (branch, recovered)
