"""The footer of a page: when git says it last changed, and when its records were captured."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from lab import units
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources.context import SiteContext
from lab.site.sources.records import Record


@cache
def last_change(file: Path) -> str:
    """The date of the last commit that touched a file, `2026-11-25`; "" outside a git checkout."""
    try:
        done = subprocess.run(
            ("git", "log", "-1", "--format=%cs", "--", file.name),
            cwd=file.parent, capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def foot(context: SiteContext, changed: str, records: list[Record]) -> str:
    """The last line of a page, HTML after a blank line as Markdown requires it; "" without a date or record."""
    parts = []
    if changed:
        parts.append(Markup('Last updated <time datetime="{0}">{0}</time>').format(changed))
    if records:
        parts.append(_captured(context, sorted(records, key=lambda record: record.ident)))
    return f'\n\n<p class="lab-stamp">{Markup(" · ").join(parts)}</p>\n' if parts else ""


def _captured(context: SiteContext, records: list[Record]) -> Markup:
    days = sorted({units.day(record.data.started_at) for record in records})
    when = Markup(" to ").join(Markup('<time datetime="{0}">{0}</time>').format(day) for day in (days[0], days[-1]))
    if len(days) == 1:
        when = Markup('<time datetime="{0}">{0}</time>').format(days[0])
    if len(records) > 3:
        return Markup("Data captured {}, {} records").format(when, len(records))
    return Markup("Data captured {}: {}").format(
        when, Markup(", ").join(html.link(context.href(record.path), record.ident) for record in records)
    )
