"""Rules on pages: the lines of the rule files, unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from lab.paths import LOOPBACK, Ports
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources import query_check
from lab.site.sources.context import RUNBOOKS, Book
from lab.site.sources.rule_files import Part
from lab.site.views.cross_links import rule_id
from lab.slo.durations import format_duration, parse_duration
from lab.slo.rendering.rules import group_name

# `[1m]`, and the range of a subquery, `[35s:5s]`.
_RANGE = re.compile(r"\[(\w+)(?::\w*)?\]")
# A label that Prometheus fills in when the alert fires; a list of alerts shows its name.
_LABEL = re.compile(r"\{\{\s*\$labels\.(\w+)\s*\}\}")


def alert_rule(book: Book, name: str, profile: str = "lab") -> Markup:
    """The rules of one alert as they stand in their files, closed until asked for."""
    parts = book.rule_files.alert(name, profile)
    for part in parts:
        query_check.require(book, f"{part.name} at {part.file}:{part.line}", part.data["expr"])
    blocks = [html.details(_summary(part), _block(part) + _open(part, profile)) for part in parts]
    if profile == "lab":
        blocks.append(_in_production(book, name, parts))
    shown = Markup("\n\n").join(blocks)
    # One id a page: the production rules stand beside the lab's where both are shown.
    return Markup('<div id="{}">{}</div>').format(rule_id(name), shown) if profile == "lab" else shown


def _in_production(book: Book, name: str, parts: list[Part]) -> Markup:
    """What stands for a lab rule in production: a rule of its own, or the lab rule's windows times the factor."""
    generated = [part for part in book.rule_files.alerts("production") if part.name == name]
    if generated:
        return Markup(
            '<p class="lab-open">In production: its own rule, generated from the same SLO, in {}.</p>'
        ).format(html.code(generated[0].file))
    windows = sorted({seconds for part in parts for seconds in _windows(part)})
    if not windows:
        return Markup('<p class="lab-open">For the lab only, without a window.</p>')
    times = Markup(", ").join(
        Markup("{} as {}").format(
            html.code(format_duration(seconds)), html.code(format_duration(seconds * book.factor))
        )
        for seconds in windows
    )
    return Markup(
        '<p class="lab-open">For the lab only. A production rule would have its windows times {}: {}.</p>'
    ).format(book.factor, times)


def _windows(part: Part) -> Iterator[int]:
    """The range windows of a rule's expression and its `for`, in seconds."""
    for text in (*_RANGE.findall(part.data["expr"]), part.data.get("for", "")):
        if text:
            yield parse_duration(text)


def _open(part: Part, profile: str) -> Markup:
    """Links that show each of a part's expressions in a lab's Prometheus; none for rules it does not load."""
    if profile != "lab":
        return Markup()
    rules = part.data.get("rules", [part.data])
    shown = Markup(", ").join(html.link(_graph(rule["expr"]), rule.get("alert") or rule["record"]) for rule in rules)
    return Markup('<p class="lab-open">In the running lab\u2019s Prometheus: {}</p>').format(shown)


def _graph(expr: str) -> str:
    """Where a lab with default ports graphs an expression over its last quarter of an hour.

    docs/assets/rule_links.js turns it to the port of the lab whose console serves the page.
    """
    return (
        f"http://{LOOPBACK}:{Ports(8000).prometheus}/graph?g0.expr={quote(expr, safe='')}&g0.tab=0&g0.range_input=15m"
    )


def _summary(part: Part) -> Markup:
    severity = part.data.get("labels", {}).get("severity", "")
    kind = {"page": "bad", "ticket": "warn"}.get(severity, "ok")
    return Markup("Rule {} {}, {}").format(html.code(part.name), html.badge(kind, severity), f"{part.file}:{part.line}")


def _block(part: Part) -> Markup:
    return Markup('<div class="lab-rule" data-rule="{}:{}">{}</div>').format(
        part.file, part.line, html.code_block(part.text, "yaml")
    )


def slo_rules(book: Book, ident: str, profile: str = "lab") -> Markup:
    """Every generated group of one SLO, from its file."""
    slo = book.slos.slo(ident)
    name = group_name(slo)
    groups = [
        group for group in book.rule_files.groups(profile) if group.name == name or group.name.startswith(f"{name}:")
    ]
    return Markup("\n\n").join(
        html.details(
            Markup("{} {}:{}, {} rules").format(
                html.code(group.name), group.file, group.line, len(group.data["rules"])
            ),
            _block(group) + _open(group, profile),
        )
        for group in groups
    )


def expression(book: Book, name: str, severity: str = "page", profile: str = "lab") -> Markup:
    """The expression of one alert alone."""
    for part in book.rule_files.alert(name, profile):
        if part.data.get("labels", {}).get("severity") == severity:
            return html.code_block(part.data["expr"], "promql", title=f"{part.file}:{part.line}")
    return html.code_block(book.rule_files.alert(name, profile)[0].data["expr"], "promql")


def alert_index(book: Book) -> Markup:
    """Every alert with its severities, service and runbook; the platform's alerts too."""
    rows, ids = [], []
    for name in book.rule_files.names():
        parts = book.rule_files.alert(name, "lab")
        labels = [part.data.get("labels", {}) for part in parts]
        severities = " and ".join(dict.fromkeys(label.get("severity", "") for label in labels))
        annotations = parts[0].data.get("annotations", {})
        summary = _LABEL.sub(r"(\1)", annotations.get("summary", ""))
        runbook = html.link(book.runbook(name), "runbook") if "runbook_url" in annotations else "nothing to do"
        rule = html.link(book.href(f"{RUNBOOKS}#{rule_id(name)}"), f"{Path(parts[0].file).name}:{parts[0].line}")
        ids.append(f"alert-{name.lower()}")
        rows.append(
            (
                html.code(name),
                Markup("{}<br><small>{} of {}</small>").format(
                    summary, severities.capitalize(), _LABEL.sub(r"(\1)", labels[0].get("service", ""))
                ),
                rule,
                runbook,
            )
        )
    return html.table(("Alert", "Says, as what, of which service", "Rule", "Do"), rows, label="Alerts", ids=ids)


VIEWS = (alert_rule, slo_rules, expression, alert_index)
