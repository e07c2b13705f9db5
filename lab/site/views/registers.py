"""Risks and action items on pages, with links to their alerts, runbooks, drills and records."""

from __future__ import annotations

from lab.errors import LabError
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources import register_files
from lab.site.sources.context import SIMULATIONS, SiteContext
from lab.site.sources.register_files import ActionItem, Risk
from lab.site.views.drill_catalogue import drill_record

_LEVEL = {"low": "ok", "medium": "warn", "high": "bad"}


def risk_table(context: SiteContext) -> Markup:
    """Every risk with likelihood, impact, control, the alert that detects it, and the drill that last proved it.

    Raises LabError when a risk names an unknown alert, or a drill that does not have to raise its alert.
    """
    alerts = context.rule_files.names()
    raised = {drill.id: drill.expect.raised() for drill in context.catalogue}
    rows, ids = [], []
    for risk in register_files.risks():
        if risk.alert not in alerts:
            raise LabError(f"risk {risk.id} names alert {risk.alert!r}, which no rule file has")
        _require_proof(risk, raised)
        proof = _proof(context, risk.drill) if risk.drill else html.badge("warn", "unproven: no drill")
        ids.append(risk.id.lower())
        rows.append(
            (
                risk.id, Markup("<b>{}</b><br>{}").format(risk.title, risk.cause), _level(risk.likelihood),
                _level(risk.impact), Markup("{}<br><small>Owner: {}</small>").format(risk.control, risk.owner),
                Markup("{}<br>{}").format(html.link(context.runbook(risk.alert), risk.alert), proof),
            )
        )  # fmt: skip
    head = (
        "Risk", "What may go wrong, and why", "Likelihood", "Impact", "Control today, and owner",
        "Alert with its runbook, and last proven",
    )  # fmt: skip
    return html.table(head, rows, label="Risk register", ids=ids)


def _require_proof(risk: Risk, raised: dict[str, set[str]]) -> None:
    """Raises LabError unless the risk names a drill that must raise its alert, or no drill raises that alert."""
    if risk.drill and risk.alert not in raised.get(risk.drill, ()):
        raise LabError(f"risk {risk.id} names drill {risk.drill!r}, which does not have to raise {risk.alert}")
    if not risk.drill and (proven := [drill for drill, names in raised.items() if risk.alert in names]):
        raise LabError(f"risk {risk.id} names no drill, and {', '.join(proven)} must raise its {risk.alert}")


def _proof(context: SiteContext, drill: str) -> Markup:
    return Markup("{}<br>{}").format(
        drill_record(context, drill), html.link(context.href(f"{SIMULATIONS}#{drill.lower()}"), "drill")
    )


def _level(level: str) -> Markup:
    return html.badge(_LEVEL[level], level)


def action_items(context: SiteContext, ident: str = "", status: str = "") -> Markup:
    """The action items of one incident or all, with one status or any. Raises LabError when there are none."""
    items = [
        item
        for item in register_files.action_items()
        if (not ident or item.incident == ident) and (not status or item.status == status)
    ]
    if not items:
        raise LabError(f"no action item of {ident or 'any incident'!r} {status} in {register_files.ACTION_ITEMS.name}")
    rows = []
    for item in items:
        target = context.postmortem(item.incident)
        where = html.link(context.href(f"{target}#action-items"), item.incident) if target else item.incident
        badge = html.badge("ok" if item.status == "done" else "warn", item.status)
        cells: tuple[object, ...] = (
            Markup("{}<br>{}").format(html.whole(item.id), badge),
            Markup("{}<br><small>To {}. Owner: {}</small>").format(_text(item.text), item.type, item.owner),
            _priority(item),
            _text(item.proof),
        )
        rows.append(cells if ident else (*cells, where))
    head = ("Item, status", "Action, purpose and owner", "Priority, due while open", "Proof that it is done")
    ids = [item.id.lower() for item in items]
    return html.table(
        head if ident else (*head, "Incident"),
        rows,
        label=f"Action items, {status}" if status else "Action items",
        ids=ids,
    )


def _priority(item: ActionItem) -> object:
    if item.due is None:
        return item.priority
    return Markup("{}<br>{}").format(item.priority, html.whole(item.due.isoformat()))


def _text(text: str) -> Markup:
    """The text of a register with what stands between backquotes as code."""
    parts = text.split("`")
    return Markup().join(
        html.code(part, wrap=True) if index % 2 else html.breakable(part) for index, part in enumerate(parts)
    )


def priority_table(_context: SiteContext) -> Markup:
    """The meaning of each priority of an action item, and within how many days it is due."""
    rows = [(name, priority.means, f"{priority.days} days") for name, priority in register_files.PRIORITIES.items()]
    return html.table(("Priority", "Means", "Due within"), rows, label="Priorities of action items")


VIEWS = (risk_table, action_items, priority_table)
