"""`fleetops page`, `triage` and `query`: pages and measurements for on-call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lab.cli.shared import AS_JSON
from lab.cli.text import fields, print_json, table
from lab.paths import home, ports

if TYPE_CHECKING:
    from lab.clients.pager import Pager

PAGES_SHOWN = 20


@click.group()
def page() -> None:
    """List, show and acknowledge pages.

    \b
    Example: fleetops page list
    """


@page.command("list")
@click.option("--open", "only_open", is_flag=True, help="Only pages and tickets that are still firing.")
@AS_JSON
def page_list(only_open: bool, as_json: bool) -> None:
    """Show every open page and ticket, and the newest resolved ones.

    \b
    Example: fleetops page list --open
    """
    from lab.clients.documents import as_builtins

    pages, left_out = pager().listing(only_open=only_open)
    if as_json:
        print_json(as_builtins(pages))
        return
    rows = [
        (
            str(p.id),
            p.status,
            p.severity,
            p.alertname,
            p.received_at,
            p.acked_by or "-",
            p.escalated_to or "-",
        )
        for number, p in enumerate(pages)
        if number < PAGES_SHOWN or not p.resolved
    ]
    table(("ID", "STATE", "SEVERITY", "ALERT", "RECEIVED (UTC)", "ACKED BY", "ESCALATED TO"), rows, "no pages")
    if more := len(pages) - len(rows):
        click.echo(f"{more} older resolved ones are not shown; use --json")
    if left_out:
        click.echo(f"{left_out} still older ones are not listed; use `fleetops page show ID`")


@page.command("ack")
@click.argument("page_id", metavar="ID", type=int)
@click.option("--by", default=None, help="Who acknowledges it; default FLEETOPS_ACTOR, else your user name.")
def page_ack(page_id: int, by: str | None) -> None:
    """Acknowledge page ID. If it is acknowledged already, print by whom.

    \b
    Example: fleetops page ack 3
    """
    from lab.control.audit import default_actor

    acked, first = pager().ack(page_id, by or default_actor())
    word = "acknowledged" if first else "was already acknowledged"
    click.echo(f"page {page_id} ({acked.alertname}) {word} by {acked.acked_by} at {acked.acked_at}")
    if acked.runbook_url:
        click.echo(f"runbook: {acked.runbook_url}")


@page.command("show")
@click.argument("page_id", metavar="ID", type=int)
@AS_JSON
def page_show(page_id: int, as_json: bool) -> None:
    """Show all fields of page ID.

    \b
    Example: fleetops page show 3
    """
    from lab.clients.documents import as_builtins

    values = as_builtins(pager().page(page_id))
    if as_json:
        print_json(values)
        return
    labels = ", ".join(f"{name}={value}" for name, value in sorted(values["labels"].items()))
    scalars = {name: value for name, value in values.items() if name not in ("labels", "annotations")}
    fields([(name, "" if value is None else str(value)) for name, value in {**scalars, "labels": labels}.items()])


@click.command()
@click.argument("service")
@click.option("--is", "cause", default=None, metavar="CAUSE", help="Exit 0 if CAUSE is implicated, 1 if not.")
@AS_JSON
def triage(service: str, cause: str | None, as_json: bool) -> int:
    """Rank the possible causes of a degraded SERVICE, with evidence.

    SERVICE is feed, user or gateway. SCORE is the measurement divided by its threshold; a cause with a SCORE of 1 or
    more is implicated.

    \b
    Examples:
      fleetops triage feed
      fleetops triage feed --is canary
    """
    from lab.clients.prometheus import Prometheus
    from lab.control.triage import investigate, judge

    prometheus = Prometheus.of(home(), ports())
    suspects = [judge(prometheus, service, cause)] if cause else investigate(prometheus, service)
    if as_json:
        rows = [
            {"cause": s.cause, "implicated": s.implicated, "score": round(s.score, 3), "evidence": s.evidence}
            for s in suspects
        ]
        print_json(rows)
    else:
        table(
            ("VERDICT", "CAUSE", "SCORE", "EVIDENCE"),
            [("IMPLICATED" if s.implicated else "clear", s.cause, f"{s.score:.1f}", s.evidence) for s in suspects],
            "",
            right=("SCORE",),
        )
    return 0 if cause is None or suspects[0].implicated else 1


@click.command()
@click.argument("promql")
@click.option(
    "--wait",
    "wait_seconds",
    metavar="SECONDS",
    type=click.FloatRange(0, 3600),
    default=0.0,
    help="Repeat the query until it is not empty, for SECONDS at most.",
)
@AS_JSON
def query(promql: str, wait_seconds: float, as_json: bool) -> int:
    """Query Prometheus. Exit status 0 when the result is not empty, 1 when it is.

    \b
    Examples:
      fleetops query 'sum by (http_route) (rate(http_server_request_duration_seconds_count[30s]))'
      fleetops query 'slo:sli_error:ratio_rate5s{sloth_id="feed-latency-p99"} <= 0.01' --wait 60
    """
    from lab.clients.prometheus import Prometheus

    samples = Prometheus.of(home(), ports()).wait(promql, wait_seconds)
    if as_json:
        print_json([{"labels": s.labels, "value": s.value} for s in samples])
    elif samples:
        table(("VALUE", "SERIES"), [(f"{s.value:.6g}", _series(s.labels)) for s in samples], "", right=("VALUE",))
    else:
        click.echo("empty" + (f" for {wait_seconds:g} s" if wait_seconds else ""), err=True)
    return 0 if samples else 1


def _series(labels: dict[str, str]) -> str:
    """A series in PromQL notation."""
    matchers = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name != "__name__")
    return labels.get("__name__", "") + (f"{{{matchers}}}" if matchers else "")


def pager() -> Pager:
    """The pager's client, after the delivery of spooled audit rows. NotRunning when no lab was started."""
    from lab.clients.pager import Pager
    from lab.control.audit import AuditTrail

    client = Pager.of(home(), ports())
    AuditTrail.of(home(), client).flush()
    return client
