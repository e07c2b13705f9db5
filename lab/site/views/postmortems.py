"""Postmortems on pages: the table at the top of each, the list of all, and a drill's parameters."""

from __future__ import annotations

import re

import yaml

from lab import units
from lab.drills.spec.drill import Drill
from lab.errors import LabError
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources import postmortem_pages
from lab.site.sources.context import POSTMORTEMS, SiteContext
from lab.site.sources.records import Record
from lab.slo.catalogue import title
from lab.slo.model import PAGE
from lab.slo.specs.document import LOADER


def postmortem_head(context: SiteContext, ident: str) -> Markup:
    """The table at the top of a postmortem: status and roles from its front matter, the rest from the record."""
    record, drill = context.records.read(ident), context.drill(ident)
    page = context.page()
    front_matter = postmortem_pages.front_matter(context.docs / page, f"docs/{page}")
    rows = [
        ("Status", front_matter.status),
        ("Severity", drill.severity),
        ("Date", units.minute(record.data.t0)),
        ("Duration", _duration(record)),
        ("Authors", ", ".join(front_matter.authors)),
        ("Reviewers", ", ".join(front_matter.reviewers)),
        ("Services", ", ".join(_services(record))),
        *_impact(context, record, drill),
    ]
    return html.table(("Postmortem", ident), rows, label=f"{ident} at a glance")


def _duration(record: Record) -> str:
    """From the injection to the recovery, or to the resolved alert without an SLO at stake."""
    times = record.data.durations
    end, seconds = (
        ("resolved alert", times.resolved_seconds) if record.data.users is None else ("recovery", times.mttr_seconds)
    )
    if seconds is None:
        return f"no {end} in the record"
    return f"{units.tenths(seconds)}, from the fault to the {end} (lab time, {record.factor}x)"


def _services(record: Record) -> list[str]:
    """The services of the pages; without a page, those of the predicted alert's tickets."""
    alert = record.prediction.alert
    paged = [row.service for row in record.data.pages if row.severity == PAGE]
    alerted = [row.service for row in record.data.pages if row.alertname == alert]
    return sorted({service for service in paged or alerted if service}) or [units.ABSENT]


def _impact(context: SiteContext, record: Record, drill: Drill) -> list[tuple[str, str]]:
    """Users and requests affected, and budget spent, of the SLO at stake."""
    if drill.effect is None:
        none = "no SLO at stake"
        return [("Users affected", none), ("Requests affected", none), ("Error budget spent", none)]
    slo = context.slos.slo(drill.effect.slo)
    users, spent = record.data.users, record.data.budget[slo.sloth_id]
    if users is None:
        raise LabError(f"record {record.path} counts no users, but {slo.sloth_id} was at stake; record the drill again")
    return [
        ("Users affected", _of(users.hit, users.asked, f"who used the {slo.service} service")),
        ("Requests affected", _of(spent.bad_events, spent.total_events, f"counted by {title(slo)}")),
        ("Error budget spent", f"{units.percent(spent.budget_spent_ratio)} of that of {title(slo)}"),
    ]


def _of(part: int, whole: int, which: str) -> str:
    share = f" ({units.percent(part / whole, 1)})" if whole else ""
    return f"{units.number(part)} of {units.number(whole)} {which}{share}"


def postmortem_index(context: SiteContext) -> Markup:
    """Every postmortem with its status, severity, trigger, alert and time to recover."""
    rows = []
    for path in sorted((context.docs / POSTMORTEMS).glob("INC-*.md")):
        ident = path.name.split("_")[0]
        heading = re.search(r"^# (.+)$", path.read_text(), re.MULTILINE)
        record, drill = context.records.read(ident), context.drill(ident)
        page = f"{POSTMORTEMS}/{path.name}"
        recovered = record.data.durations.mttr_seconds
        rows.append(
            (
                Markup("{}<br><small>{}, {}</small>").format(
                    html.link(context.href(page), heading[1] if heading else ident),
                    units.day(record.data.t0), postmortem_pages.front_matter(path, f"docs/{page}").status,
                ),
                drill.severity, drill.trigger,
                html.link(context.runbook(record.prediction.alert), record.prediction.alert),
                units.ABSENT if recovered is None else units.tenths(float(recovered)),
            )
        )  # fmt: skip
    head = (
        "Postmortem, date, status", "Severity", "Trigger", "Caught by",
        f"Recovered after (lab time, {context.factor}x)",
    )  # fmt: skip
    return html.table(head, rows, label="Postmortems")


def drill_value(context: SiteContext, ident: str, path: str) -> str:
    """One number of a drill's file by its dotted path, `load.1.extra_delay_seconds`, in the unit of its key.

    For a setting such as `pool_max=2` it is the value. Raises LabError for an unknown path and for text.
    """
    node = yaml.load(context.drill(ident).file.read_text(encoding="utf-8"), Loader=LOADER)  # noqa: S506 - a safe loader
    for key in path.split("."):
        at = int(key) if key.isdecimal() else key
        try:
            node = node[at]
        except (LookupError, TypeError):
            raise LabError(f"drill {ident} has no {path!r}: {key!r} does not exist") from None
    try:
        value = float(str(node).rpartition("=")[2])
    except (TypeError, ValueError):
        raise LabError(f"drill {ident}: {path!r} is not a number") from None
    if path.endswith("_seconds"):
        return units.seconds(value)
    for unit, whole in (("_ratio", 1), ("_percent", 100)):
        if path.endswith(unit):
            return units.percent(value / whole)
    return units.number(value)


VIEWS = (postmortem_head, postmortem_index, drill_value)
