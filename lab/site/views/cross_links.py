"""Cross-links between alerts, rules, runbooks, drills, records, postmortems, action items, risks and changes.

The links are derived from rules, drills, records and the two registers; none is typed by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab import units
from lab.clients.documents import AuditRow
from lab.drills.spec.drill import Drill
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources import register_files
from lab.site.sources.context import CHANGES, RISKS, RUNBOOKS, SIMULATIONS, SLOS, SiteContext
from lab.site.sources.records import Record
from lab.site.views.evidence import change_text

CONSOLE = "lab.md"


def rule_id(alert: str) -> str:
    """The id of an alert's rule on a page that shows it."""
    return f"rule-{alert.lower()}"


def alert_loop(context: SiteContext, alert: str) -> Markup:
    """Links from one alert to its list entry, rule, drills, records, postmortems, action items, risks and changes."""
    context.rule_files.alert(alert, "lab")
    drills = [drill for drill in context.catalogue if drill.expect.alert == alert]
    drill_ids = {drill.id for drill in drills}
    risks = [risk for risk in register_files.risks() if risk.alert == alert or risk.drill in drill_ids]
    return _list(
        [
            ("Alert", [html.link(context.href(f"{SLOS}#alert-{alert.lower()}"), alert)]),
            ("Rule", [html.link(context.href(f"{RUNBOOKS}#{rule_id(alert)}"), "as Prometheus loads it")]),
            ("Runbook", [html.link(context.runbook(alert), "its section")]),
            *_of_drills(context, drills),
            ("Risk", [_risk(context, risk) for risk in risks]),
        ]
    )


def incident_loop(context: SiteContext, ident: str) -> Markup:
    """Links from one drill to its alert, rule, runbook, record, replay, postmortem, action items, risks and change."""
    drill = context.drill(ident)
    alert = drill.expect.alert
    risks = [risk for risk in register_files.risks() if risk.drill == ident]
    entries: list[tuple[str, Sequence[Markup]]] = []
    if alert:
        entries = [
            ("Alert", [html.link(context.href(f"{SLOS}#alert-{alert.lower()}"), alert)]),
            ("Rule", [html.link(context.href(f"{RUNBOOKS}#{rule_id(alert)}"), "as Prometheus loads it")]),
            ("Runbook", [html.link(context.runbook(alert), f"{alert}'s section")]),
        ]
    return _list([*entries, *_of_drills(context, [drill]), ("Risk", [_risk(context, risk) for risk in risks])])


def _of_drills(context: SiteContext, drills: Sequence[Drill]) -> list[tuple[str, Sequence[Markup]]]:
    records = [record for drill in drills if (record := context.records.find(drill.id))]
    pages = [(drill.id, page) for drill in drills if (page := context.postmortem(drill.id))]
    items = [item for item in register_files.action_items() if item.incident in {drill.id for drill in drills}]
    return [
        ("Drill", [html.link(context.href(f"{SIMULATIONS}#{drill.id.lower()}"), drill.id) for drill in drills]),
        ("Record", [html.link(context.href(record.path), units.day(record.data.started_at)) for record in records]),
        ("Replay", [_replay(context, record) for record in records]),
        ("Postmortem", [html.link(context.href(page), ident) for ident, page in pages]),
        ("Action items", [html.link(_item_href(context, item), item.id) for item in items]),
        ("Change", [_change(context, record) for record in records if _changes(record)]),
    ]


def _replay(context: SiteContext, record: Record) -> Markup:
    return html.link(f"{context.href(CONSOLE)}?replay={record.ident}", f"{record.ident} on the console")


def _risk(context: SiteContext, risk: register_files.Risk) -> Markup:
    return html.link(context.href(f"{RISKS}#{risk.id.lower()}"), risk.id)


def _item_href(context: SiteContext, item: register_files.ActionItem) -> str:
    return context.href(f"{context.postmortem(item.incident) or '06_postmortems/index.md'}#{item.id.lower()}")


def _change(context: SiteContext, record: Record) -> Markup:
    return html.link(context.href(f"{CHANGES}#change-{record.ident.lower()}"), "what triggered it")


def _list(entries: Iterable[tuple[str, Sequence[Markup]]]) -> Markup:
    shown = Markup().join(
        Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(name, Markup(", ").join(links))
        for name, links in entries
        if links
    )
    return Markup('<dl class="lab-loop">{}</dl>').format(shown)


def _changes(record: Record) -> list[AuditRow]:
    """The control actions of a record before its alert, which may have triggered it."""
    fired = record.first("firing") or record.first("page")
    if fired is None:
        return []
    return [row for row in record.data.actions if units.parse(row.at) <= units.parse(fired.at)]


def change_table(context: SiteContext) -> Markup:
    """Every recorded change before an alert, next to the changes after it."""
    rows, ids = [], []
    for record in context.records:
        if not (before := _changes(record)):
            continue
        earlier = {row.id for row in before}
        after = [row for row in record.data.actions if row.id not in earlier and row.outcome == "done"]
        target = context.postmortem(record.ident) or record.path
        rows.append(
            (
                html.link(context.href(target), record.ident), record.data.drill.trigger,
                Markup("<br>").join(map(_action, before)), Markup("<br>").join(map(_action, after)),
                html.link(context.href(f"{SIMULATIONS}#{record.ident.lower()}"), "drill"),
            )
        )  # fmt: skip
        ids.append(f"change-{record.ident.lower()}")
    head = ("Incident", "Trigger", "Changed before the alert", "Changed after it", "Drill")
    return html.table(head, rows, label="Changes that triggered an incident", ids=ids)


def _action(row: AuditRow) -> Markup:
    return Markup("{} of {}: {}, by {}").format(row.action, row.target, change_text(row), row.actor)


VIEWS = (incident_loop, change_table)
