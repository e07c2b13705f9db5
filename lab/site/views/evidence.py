"""The evidence behind an incident's page: runbook commands, actions, budget, verdict, inputs and logs."""

from __future__ import annotations

import json
import re

from lab import units
from lab.clients.documents import AuditRow
from lab.control import audit
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources.context import SiteContext

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


def runbook_trace(context: SiteContext, ident: str) -> Markup:
    """Each runbook command that the responder ran, with its exit status, duration and output."""
    record = context.records.read(ident)
    rows = [
        (
            f"T+{units.tenths(float(step.t_seconds))}",
            f"{step.branch}, {step.step}", html.code(step.command, wrap=True),
            _status(step.exit_status), units.tenths(float(step.duration_seconds)),
        )
        for step in record.data.runbook
    ]  # fmt: skip
    table = html.table(
        ("After injection", "Branch, step", "Command", "Exit", "Took"),
        rows,
        label=f"Runbook commands of {ident}, lab time {record.factor}x",
    )
    outputs = Markup().join(
        html.details(Markup("Output of {}").format(html.code(step.command)), html.code_block(step.output, "text"))
        for step in record.data.runbook
        if step.output
    )
    return table + outputs


def _status(code: int) -> Markup:
    return html.badge("ok" if code == 0 else "warn", str(code))


def change_text(row: AuditRow) -> str:
    """The old and the new value of a control action, with sizes and times for reading."""
    old, new = (_humanised(row.action, value) for value in (row.old, row.new))
    return f"{old} → {new}"


def _humanised(action: str, value: object) -> str:
    if action == "log rotate" and isinstance(value, dict):  # bytes by process
        return audit.stated({name: units.size(size) for name, size in value.items()})
    return _STAMP.sub(lambda stamp: units.minute(stamp[0]), audit.stated(value))


def actions(context: SiteContext, ident: str) -> Markup:
    """The control actions during the incident, from the audit log."""
    record = context.records.read(ident)
    rows = [
        (
            units.clock(row.at), row.actor, row.action, row.target,
            change_text(row), row.outcome,
        )
        for row in record.data.actions
    ]  # fmt: skip
    head = ("UTC", "By", "Action", "Target", "Change", "Outcome")
    return html.table(head, rows, label=f"Control actions of {ident}", row_heads=False)


def budget_table(context: SiteContext, ident: str) -> Markup:
    """What the incident cost each SLO: events, and the share of the whole period's budget."""
    record = context.records.read(ident)
    rows = [
        (
            slo, units.percent(spent.objective_ratio), units.number(spent.total_events),
            units.number(spent.bad_events), units.percent(spent.bad_ratio),
            units.percent(spent.budget_spent_ratio),
        )
        for slo, spent in record.data.budget.items()
    ]  # fmt: skip
    period = units.seconds(context.slos.lab.period_seconds)
    head = (
        "SLO",
        "Objective",
        "Requests",
        "Bad",
        "Bad ratio",
        f"Spent of the budget of {period} (lab time, {record.factor}x)",
    )
    return html.table(head, rows, label=f"Error budget spent in {ident}", numeric=True)


def verdict(context: SiteContext, ident: str) -> Markup:
    """The verdict and each of its checks."""
    record = context.records.read(ident)
    rows = [
        (
            check.name,
            html.badge("ok" if check.passed else "bad", "pass" if check.passed else "fail"),
            check.detail,
        )
        for check in record.data.verdict.checks
    ]
    passed = record.data.verdict.passed
    heading = Markup("<p>Verdict: {}</p>").format(
        html.badge("ok" if passed else "bad", "passed" if passed else "failed")
    )
    return heading + html.table(("Check", "Result", "Detail"), rows, label=f"Verdict of {ident}")


def evidence(context: SiteContext, ident: str) -> Markup:
    """The provenance of a record: its inputs by content hash, versions, intervals and cores."""
    record = context.records.read(ident)
    lab = record.data.lab
    rows: list[tuple[object, object]] = [
        ("Record", html.link(context.href(record.path), record.path)),
        ("Started", units.minute(record.data.started_at)),
        ("Factor", f"{record.factor}x"),
        ("Scrape / evaluation", f"{lab.scrape_interval_seconds:g} s / {lab.evaluation_interval_seconds:g} s"),
        ("Cores", lab.cores),
    ]
    rows += [(name, version) for name, version in lab.versions.items()]
    rows += [(html.code(path), html.code(_short(digest))) for path, digest in record.data.inputs.items()]
    return html.table(("Input", "Value"), rows, label=f"Provenance of {ident}")


def _short(digest: str) -> str:
    """The first digits of a hash; the record holds the whole hash."""
    return digest[:19] + "…" if digest.startswith("sha256:") else digest


def log_lines(context: SiteContext, ident: str) -> Markup:
    """The log lines that the record holds, one JSON object per line."""
    lines = [json.dumps(row, sort_keys=True) for row in context.records.read(ident).data.logs]
    return html.details(f"{len(lines)} log lines", html.code_block("\n".join(lines), "json"))


VIEWS = (runbook_trace, actions, budget_table, verdict, evidence, log_lines)
