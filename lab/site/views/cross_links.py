"""The closed loop: alert, rule, runbook, drill, record, postmortem, action item, risk and change lead to one another.

Nothing here is typed by hand: what belongs together is read from rules, drills, records and the two registers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab import units
from lab.control import audit
from lab.drills.spec.drill import Drill
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources import register_files
from lab.site.sources.context import CHANGES, RISKS, RUNBOOKS, SIMULATIONS, SLOS, Book
from lab.site.sources.records import Record

CONSOLE = "lab.md"


def rule_id(alert: str) -> str:
    """The id of an alert's rule on every page that shows it."""
    return f"rule-{alert.lower()}"


def alert_loop(book: Book, alert: str) -> Markup:
    """Where one alert leads: list entry, rule, drills, records, postmortems, action items, risks, changes."""
    book.rule_files.alert(alert, "lab")
    drills = [drill for drill in book.catalogue if drill.expect.alert == alert]
    of_drills = {drill.id for drill in drills}
    risks = [risk for risk in register_files.risks() if risk.alert == alert or risk.drill in of_drills]
    return _list(
        [
            ("Alert", [html.link(book.href(f"{SLOS}#alert-{alert.lower()}"), alert)]),
            ("Rule", [html.link(book.href(f"{RUNBOOKS}#{rule_id(alert)}"), "as Prometheus loads it")]),
            ("Runbook", [html.link(book.runbook(alert), "its section")]),
            *_of_drills(book, drills),
            ("Risk", [_risk(book, risk) for risk in risks]),
        ]
    )


def incident_loop(book: Book, ident: str) -> Markup:
    """Where one drill or incident leads: alert, rule, runbook, record, replay, postmortem, items, risks, change."""
    drill = book.drill(ident)
    alert = drill.expect.alert
    risks = [risk for risk in register_files.risks() if risk.drill == ident or risk.alert == alert]
    entries: list[tuple[str, Sequence[Markup]]] = []
    if alert:
        entries = [
            ("Alert", [html.link(book.href(f"{SLOS}#alert-{alert.lower()}"), alert)]),
            ("Rule", [html.link(book.href(f"{RUNBOOKS}#{rule_id(alert)}"), "as Prometheus loads it")]),
            ("Runbook", [html.link(book.runbook(alert), f"{alert}'s section")]),
        ]
    return _list([*entries, *_of_drills(book, [drill]), ("Risk", [_risk(book, risk) for risk in risks])])


def _of_drills(book: Book, drills: Sequence[Drill]) -> list[tuple[str, Sequence[Markup]]]:
    records = [record for drill in drills if (record := book.records.find(drill.id))]
    pages = [(drill.id, page) for drill in drills if (page := book.postmortem(drill.id))]
    items = [item for item in register_files.action_items() if item.incident in {drill.id for drill in drills}]
    return [
        ("Drill", [html.link(book.href(f"{SIMULATIONS}#{drill.id.lower()}"), drill.id) for drill in drills]),
        ("Record", [html.link(book.href(record.path), units.day(record["started_at"])) for record in records]),
        ("Replay", [_replay(book, record) for record in records]),
        ("Postmortem", [html.link(book.href(page), ident) for ident, page in pages]),
        ("Action items", [html.link(_item_href(book, item), item.id) for item in items]),
        ("Change", [_change(book, record) for record in records if _changes(record)]),
    ]


def _replay(book: Book, record: Record) -> Markup:
    return html.link(f"{book.href(CONSOLE)}?replay={record.ident}", f"{record.ident} on the console")


def _risk(book: Book, risk: register_files.Risk) -> Markup:
    return html.link(book.href(f"{RISKS}#{risk.id.lower()}"), risk.id)


def _item_href(book: Book, item: register_files.ActionItem) -> str:
    return book.href(f"{book.postmortem(item.incident) or '06_postmortems/index.md'}#{item.id.lower()}")


def _change(book: Book, record: Record) -> Markup:
    return html.link(book.href(f"{CHANGES}#change-{record.ident.lower()}"), "what set it off")


def _list(entries: Iterable[tuple[str, Sequence[Markup]]]) -> Markup:
    shown = Markup().join(
        Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(name, Markup(", ").join(links))
        for name, links in entries
        if links
    )
    return Markup('<dl class="lab-loop">{}</dl>').format(shown)


def _changes(record: Record) -> list[dict[str, object]]:
    """The changes of a record that came before its alert: those that set it off."""
    fired = record.first("firing") or record.first("page")
    if fired is None:
        return []
    return [row for row in record["actions"] if units.parse(row["at"]) <= units.parse(fired["at"])]


def change_table(book: Book) -> Markup:
    """Every change that a record has before its alert, what it did, and what took it back."""
    rows, ids = [], []
    for record in book.records:
        if not (before := _changes(record)):
            continue
        known = {row["id"] for row in before}
        after = [row for row in record["actions"] if row["id"] not in known and row["outcome"] == "done"]
        target = book.postmortem(record.ident) or record.path
        rows.append(
            (
                html.link(book.href(target), record.ident), record["drill"]["trigger"],
                Markup("<br>").join(_deed(row) for row in before), Markup("<br>").join(_deed(row) for row in after),
                html.link(book.href(f"{SIMULATIONS}#{record.ident.lower()}"), "drill"),
            )
        )  # fmt: skip
        ids.append(f"change-{record.ident.lower()}")
    head = ("Incident", "Trigger", "Changed before the alert", "Changed after it", "Repeat it")
    return html.table(head, rows, label="Changes that set an incident off", ids=ids)


def _deed(row: dict[str, object]) -> Markup:
    old, new = audit.stated(row["old"]), audit.stated(row["new"])
    return Markup("{} of {}: {} → {}, by {}").format(row["action"], row["target"], old, new, row["actor"])


VIEWS = (incident_loop, change_table)
