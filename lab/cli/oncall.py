"""`fleetops page`, `triage` and `query`: what on-call reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from lab.cli.shared import AS_JSON
from lab.cli.text import table
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
@click.option("--open", "only_open", is_flag=True, help="Only what still fires.")
@AS_JSON
def page_list(only_open: bool, as_json: bool) -> None:
    """Show every open page and ticket, and the newest resolved ones.

    \b
    Example: fleetops page list --open
    """
    from lab.clients.documents import as_builtins

    pages, left_out = pager().listing(only_open=only_open)
    if as_json:
        click.echo(json.dumps(as_builtins(pages), indent=1))
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
        click.echo(f"and {more} older resolved ones, which --json shows")
    if left_out:
        click.echo(f"and {left_out} that resolved still earlier, which 'fleetops page show ID' shows")


@page.command("ack")
@click.argument("page_id", metavar="ID", type=int)
@click.option("--by", default=None, help="Who acknowledges it; default FLEETOPS_ACTOR, else your user name.")
def page_ack(page_id: int, by: str | None) -> None:
    """Acknowledge page ID. Doing it twice changes nothing and says who acknowledged it first.

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
    """Show everything page ID says.

    \b
    Example: fleetops page show 3
    """
    from lab.clients.documents import as_builtins

    values = as_builtins(pager().page(page_id))
    if as_json:
        click.echo(json.dumps(values, indent=1))
        return
    for name, value in values.items():
        if name not in ("labels", "annotations"):
            click.echo(f"{name:<14} {'' if value is None else value}")
    click.echo("labels         " + ", ".join(f"{name}={value}" for name, value in sorted(values["labels"].items())))


@click.command()
@click.argument("service")
@click.option("--is", "cause", default=None, metavar="CAUSE", help="Exit 0 if CAUSE is implicated, 1 if not.")
@AS_JSON
def triage(service: str, cause: str | None, as_json: bool) -> int:
    """Rank what may be wrong with SERVICE, with the evidence.

    SERVICE is feed, user or gateway. SCORE is how many times over its threshold the evidence is: from 1 on the suspect
    is implicated.

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
        click.echo(json.dumps(rows, indent=1))
    else:
        for suspect in suspects:
            verdict = "IMPLICATED" if suspect.implicated else "clear"
            click.echo(f"{verdict:<11}{suspect.cause:<13}{suspect.score:6.1f}  {suspect.evidence}")
    return 0 if cause is None or suspects[0].implicated else 1


@click.command()
@click.argument("promql")
@click.option("--wait", "wait_seconds", type=click.FloatRange(0, 3600), default=0.0, help="Ask until it is not empty.")
@AS_JSON
def query(promql: str, wait_seconds: float, as_json: bool) -> int:
    """Ask Prometheus. Exit 0 when the answer is not empty, 1 when it is.

    \b
    Examples:
      fleetops query 'sum by (http_route) (rate(http_server_request_duration_seconds_count[30s]))'
      fleetops query 'slo:sli_error:ratio_rate5s{sloth_id="feed-latency-p99"} <= 0.01' --wait 60
    """
    from lab.clients.prometheus import Prometheus

    samples = Prometheus.of(home(), ports()).wait(promql, wait_seconds)
    if as_json:
        click.echo(json.dumps([{"labels": s.labels, "value": s.value} for s in samples], indent=1))
    for sample in [] if as_json else samples:
        name = sample.labels.get("__name__", "")
        inner = ", ".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()) if key != "__name__")
        click.echo(f"{sample.value:<14.6g} {name}{'{' + inner + '}' if inner else ''}")
    if not samples and not as_json:
        click.echo("empty" + (f" for {wait_seconds:g} s" if wait_seconds else ""), err=True)
    return 0 if samples else 1


def pager() -> Pager:
    """The pager, with what waited for it delivered."""
    from lab.clients.pager import Pager
    from lab.control.audit import AuditTrail

    here = home()
    pager = Pager.of(here, ports())
    AuditTrail.of(here, pager).flush()
    return pager
