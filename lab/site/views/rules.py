"""Alert and recording rules on pages, exactly as they are in the rule files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from lab.paths import LOOPBACK, Ports
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources import query_check
from lab.site.sources.context import RUNBOOKS, SiteContext
from lab.site.sources.rule_files import Part
from lab.site.views.cross_links import rule_id
from lab.slo.durations import format_duration, parse_duration
from lab.slo.rendering.rules import group_name

# `[1m]`, and the range of a subquery, `[35s:5s]`.
_RANGE = re.compile(r"\[(\w+)(?::\w*)?\]")
# A label that Prometheus fills in when the alert fires; the list of alerts shows the label's name instead.
_LABEL = re.compile(r"\{\{\s*\$labels\.(\w+)\s*\}\}")


def alert_rule(context: SiteContext, name: str, profile: str = "lab") -> Markup:
    """The rules of one alert, collapsed, with a link to Prometheus and the production counterpart.

    Raises LabError for an unknown alert and for an expression that queries an unknown series.
    """
    parts = context.rule_files.alert(name, profile)
    for part in parts:
        query_check.require(context, f"{part.name} at {part.file}:{part.line}", part.rule.expr)
    blocks = [html.details(_summary(part), _block(part) + _open(part, profile)) for part in parts]
    if profile == "lab":
        blocks.append(_in_production(context, name, parts))
    shown = Markup("\n\n").join(blocks)
    # A page may show the rules of both profiles, and an id must be unique.
    return Markup('<div id="{}">{}</div>').format(rule_id(name), shown) if profile == "lab" else shown


def _in_production(context: SiteContext, name: str, parts: list[Part]) -> Markup:
    """The production counterpart of a lab rule: a generated rule, or the lab rule with longer windows."""
    generated = [part for part in context.rule_files.alerts("production") if part.name == name]
    if generated:
        return Markup('<p class="lab-open">In production: a rule generated from the same SLO, in {}.</p>').format(
            html.code(generated[0].file)
        )
    windows = sorted({seconds for part in parts for seconds in _windows(part)})
    if not windows:
        return Markup('<p class="lab-open">For the lab only. It has no window, so it fits production as it is.</p>')
    times = Markup(", ").join(
        Markup("{} as {}").format(
            html.code(format_duration(seconds)), html.code(format_duration(seconds * context.factor))
        )
        for seconds in windows
    )
    return Markup(
        '<p class="lab-open">For the lab only. A production rule would need windows {} times as long: {}.</p>'
    ).format(context.factor, times)


def _windows(part: Part) -> Iterator[int]:
    """The range windows of a rule's expression and its `for`, in seconds."""
    for text in (*_RANGE.findall(part.rule.expr), part.rule.hold):
        if text:
            yield parse_duration(text)


def _open(part: Part, profile: str) -> Markup:
    """Links to every expression of a part in the lab's Prometheus; empty for production rules, which no lab loads."""
    if profile != "lab":
        return Markup()
    shown = Markup(", ").join(html.link(_graph(rule.expr), rule.name) for rule in part.rules)
    return Markup('<p class="lab-open">In the running lab\u2019s Prometheus: {}</p>').format(shown)


def _graph(expr: str) -> str:
    """The URL that graphs an expression over the last 15 minutes in a lab with default ports.

    docs/assets/rule_links.js replaces the port by that of the lab whose console serves the page.
    """
    return (
        f"http://{LOOPBACK}:{Ports(8000).prometheus}/graph?g0.expr={quote(expr, safe='')}&g0.tab=0&g0.range_input=15m"
    )


def _summary(part: Part) -> Markup:
    severity = part.rule.labels.get("severity", "")
    kind = {"page": "bad", "ticket": "warn"}.get(severity, "ok")
    return Markup("Rule {} {}, {}").format(html.code(part.name), html.badge(kind, severity), f"{part.file}:{part.line}")


def _block(part: Part) -> Markup:
    return Markup('<div class="lab-rule" data-rule="{}:{}">{}</div>').format(
        part.file, part.line, html.code_block(part.text, "yaml")
    )


def slo_rules(context: SiteContext, ident: str, profile: str = "lab") -> Markup:
    """Every generated rule group of one SLO, collapsed."""
    slo = context.slos.slo(ident)
    name = group_name(slo)
    groups = [
        group for group in context.rule_files.groups(profile) if group.name == name or group.name.startswith(f"{name}:")
    ]
    return Markup("\n\n").join(
        html.details(
            Markup("{} {}:{}, {} rules").format(html.code(group.name), group.file, group.line, len(group.rules)),
            _block(group) + _open(group, profile),
        )
        for group in groups
    )


def expression(context: SiteContext, name: str, severity: str = "page", profile: str = "lab") -> Markup:
    """The expression of one alert's rule with a severity, else of its first rule."""
    for part in context.rule_files.alert(name, profile):
        if part.rule.labels.get("severity") == severity:
            return html.code_block(part.rule.expr, "promql", title=f"{part.file}:{part.line}")
    return html.code_block(context.rule_files.alert(name, profile)[0].rule.expr, "promql")


def alert_index(context: SiteContext) -> Markup:
    """Every alert of SLOs and platform with its summary, severities, service, rule and runbook."""
    rows, ids = [], []
    for name in context.rule_files.names():
        parts = context.rule_files.alert(name, "lab")
        labels = [part.rule.labels for part in parts]
        severities = " and ".join(dict.fromkeys(label.get("severity", "") for label in labels))
        annotations = parts[0].rule.annotations
        summary = _LABEL.sub(r"(\1)", annotations.get("summary", ""))
        runbook = html.link(context.runbook(name), "runbook") if "runbook_url" in annotations else "no runbook"
        rule = html.link(context.href(f"{RUNBOOKS}#{rule_id(name)}"), f"{Path(parts[0].file).name}:{parts[0].line}")
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
    return html.table(("Alert", "Summary, severity and service", "Rule", "Runbook"), rows, label="Alerts", ids=ids)


VIEWS = (alert_rule, slo_rules, expression, alert_index)
