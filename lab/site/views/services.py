"""What the services are made of, on pages: flags, limits, metrics. From the code itself."""

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
from lab.site.sources.context import Book
from lab.slo.generate import display
from lab.slo.thresholds import threshold_seconds


def flag_table(_book: Book) -> Markup:
    """The gateway's flags, how they stand in ordinary times, and what each does when it does not stand so."""
    rows = [(html.code(name), "on" if flags.DEFAULTS[name] else "off", text) for name, text in flags.HELP.items()]
    return html.table(("Flag", "Ordinary", "What it does otherwise"), rows, label="Flags")


def limits_table(_book: Book) -> Markup:
    """The gateway's quotas, its shedding limit and its timeouts as they are until somebody sets them."""
    state = State()
    rows = [
        (f"quota, {name.replace('_', ' ')}", units.number(value)) for name, value in asdict(state.ratelimit).items()
    ]
    rows += [
        (f"requests in flight before a {priority} is shed", units.number(state.shed.limit(priority)))
        for priority in PRIORITIES
    ]
    rows.append(("retries of one request", units.number(state.retry.max_retries)))
    rows.append(("time to live of a feed page", units.seconds(state.feed_ttl_seconds)))
    rows += [(f"timeout to {name}", units.seconds(value)) for name, value in state.timeouts_seconds.items()]
    return html.table(("Limit of the gateway", "Default"), rows, label="Limits", numeric=True)


def metric_table(book: Book) -> Markup:
    """Every metric our own processes register."""
    rows = [
        (
            html.code(metric.name, wrap=True), metric.kind, ", ".join(metric.labels),
            Markup("{}<br><small>{}</small>").format(metric.help, html.breakable(metric.module)),
        )
        for metric in book.metrics
    ]  # fmt: skip
    return html.table(("Metric", "Type", "Labels", "Help, and where it is registered"), rows, label="Metrics")


def metric(book: Book, name: str) -> Markup:
    """One metric's name, for a sentence; LabError when no process of ours registers it."""
    known = {one.name: one.module for one in book.metrics}
    if name not in known:
        close = get_close_matches(name, known, 3, 0.3)
        there = ", ".join(f"{one} of {known[one]}" for one in close) or ", ".join(known)
        raise LabError(f"no metric {name!r} is registered in lab/; there are {there}")
    return html.code(name)


def page_items(_book: Book) -> int:
    """How many items a page of the feed holds."""
    return PAGE_ITEMS


def metric_count(book: Book) -> int:
    """How many metrics our own processes register."""
    return len(book.metrics)


def bucket_edges(_book: Book) -> str:
    """The edges of every latency histogram, for a sentence."""
    return ", ".join(f"{edge:g}" for edge in names.LATENCY_BUCKETS_SECONDS)


def objective_edges(book: Book) -> str:
    """The latencies that are promised; LabError when one is no edge of the histograms, for then no count can tell."""
    edges = []
    for slo in book.slos.slos:
        limit = threshold_seconds(slo)
        if limit is not None and limit not in names.LATENCY_BUCKETS_SECONDS:
            spec = display(Path(slo.origin.file))
            raise LabError(f"{spec}: {slo.sloth_id} is held to {limit:g} s, which is no edge in lab/names.py")
        edges += [limit] if limit is not None else []
    shown = [units.quantity(edge, "seconds") for edge in sorted(set(edges))]
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def ports_table(_book: Book) -> Markup:
    """Where each part of a lab with default ports listens."""
    ports = Ports(8000)
    parts = ("console", "gateway", "gateway_admin", "pager", "traffic_admin", "exporter", "prometheus", "alertmanager")
    more = ("postgres", "valkey", "link_db", "link_db_admin")
    rows: list[tuple[object, object]] = [(name.replace("_", ", "), getattr(ports, name)) for name in (*parts, *more)]
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
