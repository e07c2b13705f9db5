"""A trace as an HTML waterfall, for the console and the site. All text is escaped."""

from __future__ import annotations

from markupsafe import Markup

from lab.tracing.documents import Trace
from lab.tracing.waterfall import Row, heading, left_out, milliseconds, rows

MIN_WIDTH = 0.4  # percent of the whole


def waterfall(trace: Trace, *, label: str) -> Markup:
    """A table: process, operation, start and time as text, and a bar over the time of the request.

    `label` is its accessible name. Bars on the critical path and failed operations have classes of their own, and words
    for readers who do not see colours.
    """
    shown = rows(trace)
    if not shown:
        return note(heading(trace))
    whole = max(row.start + row.seconds for row in shown) or 1e-9
    body = Markup().join(_row(row, whole) for row in shown)
    missing = Markup().join(note(text) for text in left_out(trace))
    return Markup(
        '<div class="lab-scroll" role="region" tabindex="0" aria-label="{}"><table class="lab-table lab-trace">'
        '<caption>{}</caption><thead><tr><th scope="col">Process</th><th scope="col">Operation</th>'
        '<th scope="col">Start</th><th scope="col">Time</th><th scope="col">When</th></tr></thead>'
        "<tbody>{}</tbody></table></div>{}"
    ).format(label, heading(trace), body, missing)


def note(text: str) -> Markup:
    """A sentence in place of a waterfall, or below it."""
    return Markup('<p class="lab-note">{}</p>').format(text)


def _row(row: Row, whole: float) -> Markup:
    left = min(100 - MIN_WIDTH, max(0.0, row.start / whole * 100))
    width = max(MIN_WIDTH, min(100 - left, row.seconds / whole * 100))
    kind = "failed" if row.failed else "critical" if row.critical else "other"
    words = {"failed": "failed", "critical": "on the critical path", "other": "not on the critical path"}[kind]
    return Markup(
        '<tr><td>{}</td><td class="lab-trace__operation" data-depth="{}">{}</td><td>{}</td><td>{}</td>'
        '<td><svg class="lab-trace__bar" viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect class="lab-trace__{}" x="{:.2f}" y="0" width="{:.2f}" height="8"/></svg></td></tr>'
    ).format(
        row.process, min(row.depth, 6), row.text, milliseconds(row.start), milliseconds(row.seconds), words, kind,
        left, width,
    )  # fmt: skip
