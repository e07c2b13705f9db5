"""What the services are made of, on pages: flags, limits, metrics. From the code itself."""

from __future__ import annotations

from dataclasses import asdict

from lab.places import ROOT
from lab.services.gateway import flags
from lab.services.gateway.state import State
from lab.site import html, metric_source, units
from lab.site.book import Book
from lab.site.html import Markup


def flag_table(_book: Book) -> Markup:
    """The gateway's flags and what each does when it is off."""
    rows = [(html.code(name), text) for name, text in flags.HELP.items()]
    return html.table(("Flag", "What it does"), rows, label="Flags")


def limits_table(_book: Book) -> Markup:
    """The gateway's quotas, its shedding limit and its timeouts as they are until somebody sets them."""
    state = State()
    rows = [
        (f"quota, {name.replace('_', ' ')}", units.number(value)) for name, value in asdict(state.ratelimit).items()
    ]
    rows.append(("requests in flight before shedding", units.number(state.max_inflight)))
    rows += [(f"timeout to {name}", units.seconds(value)) for name, value in state.timeouts_seconds.items()]
    return html.table(("Limit of the gateway", "Default"), rows, label="Limits", numeric=True)


def metric_table(_book: Book) -> Markup:
    """Every metric our own processes register."""
    rows = [
        (html.code(metric.name), metric.kind, ", ".join(metric.labels), metric.help, html.code(metric.module))
        for metric in metric_source.metrics(ROOT / "lab")
    ]
    return html.table(("Metric", "Type", "Labels", "Help", "Registered in"), rows, label="Metrics")


VIEWS = (flag_table, limits_table, metric_table)
