"""The exemplary traces of an incident's record: the telling one, and what it does differently from a normal one."""

from __future__ import annotations

from lab.drills.schema.record import NORMAL, TELLING, Role
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources.context import SiteContext
from lab.tracing.analysis import differences
from lab.tracing.documents import Trace
from lab.tracing.drawing import waterfall
from lab.tracing.waterfall import milliseconds

SHOWN_DIFFERENCES = 4
MIN_SECONDS = 0.001


def telling_trace(context: SiteContext, ident: str) -> Markup:
    """The trace of a typical bad request as a waterfall, and its differences from a normal one from before the fault.

    Empty for a record of a lab that recorded no spans.
    """
    record = context.records.read(ident)
    found: dict[Role, Trace] = {one.role: one.trace for one in record.traces}
    if TELLING not in found:
        return Markup("")
    telling = found[TELLING]
    shown = waterfall(telling, label=f"Trace of a request of {ident}, lab time {record.factor}x")
    if NORMAL not in found:
        return shown
    rows = [
        (
            row.service,
            row.operation,
            f"{row.counts[0]} → {row.counts[1]}",
            f"{milliseconds(row.seconds[0])} → {milliseconds(row.seconds[1])}",
        )
        for row in differences(found[NORMAL], telling)
        if abs(row.more_seconds) >= MIN_SECONDS
    ]
    head = ("Service", "Operation", "How often", "Time of its own")
    return shown + html.table(
        head, rows[:SHOWN_DIFFERENCES], label=f"What differs from a normal request before {ident}"
    )


VIEWS = (telling_trace,)
