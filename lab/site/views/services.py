"""Flags, limits, metrics and ports of the services on pages, read from the code that defines them."""

from __future__ import annotations

from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path

from lab import names, units
from lab.errors import LabError
from lab.paths import Ports
from lab.services.feed.ranking import PAGE_ITEMS
from lab.services.gateway import flags
from lab.services.gateway.priority import PRIORITIES
from lab.services.gateway.state import State
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources.context import SiteContext
from lab.slo.generate import display
from lab.slo.thresholds import threshold_seconds


def flag_table(_context: SiteContext) -> Markup:
    """The gateway's flags, their default states, and the effect of the other state."""
    rows = [(html.code(name), "on" if flags.DEFAULTS[name] else "off", text) for name, text in flags.HELP.items()]
    return html.table(("Flag", "Default", "Effect of the other state"), rows, label="Flags")


def limits_table(_context: SiteContext) -> Markup:
    """The default quotas, shedding limits, retries and timeouts of the gateway."""
    state = State()
    rows = [
        (f"quota, {name.replace('_', ' ')}", units.number(value)) for name, value in asdict(state.ratelimit).items()
    ]
    rows += [
        (f"requests in flight before a {priority} request is shed", units.number(state.shed.limit(priority)))
        for priority in PRIORITIES
    ]
    rows.append(("retries per request", units.number(state.retry.max_retries)))
    rows.append(("time to live of a cached feed", units.seconds(state.feed_ttl_seconds)))
    rows += [(f"timeout to {name}", units.seconds(value)) for name, value in state.timeouts_seconds.items()]
    return html.table(("Limit of the gateway", "Default"), rows, label="Limits", numeric=True)


def metric_table(context: SiteContext) -> Markup:
    """Every metric that the lab's processes register, with type, labels, help and source file."""
    rows = [
        (
            html.code(metric.name, wrap=True), metric.kind, ", ".join(metric.labels),
            Markup("{}<br><small>{}</small>").format(metric.help, html.breakable(metric.module)),
        )
        for metric in context.metrics
    ]  # fmt: skip
    return html.table(("Metric", "Type", "Labels", "Help and source file"), rows, label="Metrics")


def metric(context: SiteContext, name: str) -> Markup:
    """The name of a metric as inline code. Raises LabError that lists similar names when no process registers it."""
    modules = {metric.name: metric.module for metric in context.metrics}
    if name not in modules:
        close = get_close_matches(name, modules, 3, 0.3)
        candidates = ", ".join(f"{metric} of {modules[metric]}" for metric in close) or ", ".join(modules)
        raise LabError(f"no metric {name!r} is registered in lab/; registered are {candidates}")
    return html.code(name)


def page_items(_context: SiteContext) -> int:
    """The number of posts in one response of the feed."""
    return PAGE_ITEMS


def metric_count(context: SiteContext) -> int:
    """The number of metrics that the lab's processes register."""
    return len(context.metrics)


def bucket_edges(_context: SiteContext) -> str:
    """The bucket edges of every latency histogram in seconds, as text."""
    return ", ".join(f"{edge:g}" for edge in names.LATENCY_BUCKETS_SECONDS)


def objective_edges(context: SiteContext) -> str:
    """The latency thresholds of the SLOs, as text.

    Raises LabError for a threshold that is not a bucket edge: no bucket would count its bad events.
    """
    edges = []
    for slo in context.slos.slos:
        limit = threshold_seconds(slo)
        if limit is not None and limit not in names.LATENCY_BUCKETS_SECONDS:
            spec = display(Path(slo.origin.file))
            raise LabError(
                f"{spec}: {slo.sloth_id} has the threshold {limit:g} s, which is not a bucket edge in lab/names.py"
            )
        edges += [limit] if limit is not None else []
    shown = [units.quantity(edge, "seconds") for edge in sorted(set(edges))]
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def ports_table(_context: SiteContext) -> Markup:
    """The ports of a lab with default ports."""
    ports = Ports(8000)
    parts = ("console", "gateway", "gateway_admin", "pager", "traffic_admin", "exporter", "prometheus", "alertmanager")
    stores = ("postgres", "valkey", "link_db", "link_db_admin")
    rows: list[tuple[object, object]] = [(name.replace("_", ", "), getattr(ports, name)) for name in (*parts, *stores)]
    for service in ("user", "feed", "feed-canary"):
        public, admin = ports.replica(service, 1)
        rows.append((f"{service}-1, public and admin", f"{public}, {admin}"))
    return html.table(("Part", "Port on 127.0.0.1"), rows, label="Ports", numeric=True)


VIEWS = (
    flag_table,
    limits_table,
    metric_table,
    metric,
    page_items,
    metric_count,
    bucket_edges,
    objective_edges,
    ports_table,
)
