"""`fleetops trace`: the traces of requests that were slow, failed, retried or shed, and of one normal one a second."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.cli.shared import AS_JSON
from lab.cli.text import print_json, table
from lab.errors import UsageError
from lab.paths import home
from lab.telemetry.sampling import BASELINE, REASONS

if TYPE_CHECKING:
    from lab.tracing.documents import Trace

SLOWEST = "slowest"
EXPORTED = 1_000


@click.group()
def trace() -> None:
    """List, show, compare and export the traces of requests.

    \b
    Examples:
      fleetops trace list --reason slow
      fleetops trace show slowest
      fleetops trace diff slowest
    """


@trace.command("list")
@click.option(
    "--reason", type=click.Choice(REASONS), multiple=True, help="Only traces kept for this reason; repeatable."
)
@click.option("--name", default="", metavar="TEXT", help="Only requests whose method and route contain this text.")
@click.option("--min-ms", type=click.FloatRange(min=0), default=0.0, help="Only requests of at least this many ms.")
@click.option("--since", type=click.FloatRange(min=0), metavar="SECONDS", help="Only the last SECONDS.")
@click.option("--slowest", is_flag=True, help="The slowest first, instead of the newest.")
@click.option("--limit", "-n", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Number of traces.")
@AS_JSON
def trace_list(
    reason: tuple[str, ...], name: str, min_ms: float, since: float | None, slowest: bool, limit: int, as_json: bool
) -> None:
    """List the traces that are kept.

    Kept are those of all requests that were slow, failed, retried or shed, and of one other request a second.

    \b
    Examples:
      fleetops trace list --reason failed --since 60
      fleetops trace list --slowest --name /v1/feed
    """
    from lab.tracing import store

    found = store.summaries(
        home(), since=time.time() - since if since is not None else 0.0, min_seconds=min_ms / 1000, reasons=reason,
        name=name, limit=limit, slowest=slowest,
    )  # fmt: skip
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(found))
        return
    rows = [
        (
            line.trace_id,
            f"{datetime.fromtimestamp(line.started, UTC):%H:%M:%S.%f}"[:-3],
            f"{line.seconds * 1000:.0f} ms",
            str(line.status or "-"),
            line.reason,
            str(line.spans),
            line.name,
        )
        for line in found
    ]
    head = ("TRACE", "STARTED (UTC)", "TIME", "STATUS", "KEPT AS", "SPANS", "REQUEST")
    table(head, rows, "no such trace is kept", right=("TIME", "SPANS"))


@trace.command("show")
@click.argument("ident", metavar="ID")
@AS_JSON
def trace_show(ident: str, as_json: bool) -> None:
    """Show a trace as a waterfall. ID is its id, the beginning of its id, or `slowest`.

    `slowest` is the slowest request of the last minute. Statements that follow each other are one line.

    \b
    Example: fleetops trace show slowest
    """
    from lab.tracing.waterfall import waterfall

    found = _find(ident)
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(found))
        return
    for line in waterfall(found):
        click.echo(line)


@trace.command("diff")
@click.argument("ident", metavar="ID")
@click.argument("other", metavar="[NORMAL]", required=False)
def trace_diff(ident: str, other: str | None) -> None:
    """Compare a slow trace with a normal one.

    It shows which operations take the time that the slow request takes longer. ID as in `trace show`. NORMAL is the id
    of a trace to compare with; by default the baseline trace of the same request with the median time.

    \b
    Example: fleetops trace diff slowest
    """
    from lab.tracing import analysis
    from lab.tracing.waterfall import comparison

    slow = _find(ident)
    normal = _find(other) if other else _normal(slow)
    for line in comparison(normal, slow, analysis.differences(normal, slow)):
        click.echo(line)


@trace.command("export")
@click.argument("idents", metavar="[ID]…", nargs=-1)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write; default: standard output.")
def trace_export(idents: tuple[str, ...], out: Path | None) -> None:
    """Write traces as OTLP JSON.

    Jaeger, Tempo and the OpenTelemetry collector import it. Without ID, the last 1,000 traces are written.

    \b
    Example: fleetops trace export slowest --out trace.json
    """
    from lab.atomic_write import write_text
    from lab.tracing import otlp, store

    wanted = idents or tuple(line.trace_id for line in store.summaries(home(), limit=EXPORTED))
    text = json.dumps(otlp.request([_find(ident) for ident in wanted]))
    if out is None:
        click.echo(text)
    else:
        write_text(out, text)
        click.echo(f"wrote {len(wanted)} traces to {out}", err=True)


def _find(ident: str) -> Trace:
    from lab.tracing import store

    if ident != SLOWEST:
        return store.find(home(), ident.lower())
    newest = store.summaries(home(), since=time.time() - 60, slowest=True, limit=1)
    if not newest:
        raise UsageError("no trace of the last minute is kept; `fleetops trace list --slowest` shows older ones")
    return store.find(home(), newest[0].trace_id)


def _normal(slow: Trace) -> Trace:
    """The baseline trace of the same request with the median time. Raises UsageError without one."""
    from lab.tracing import store
    from lab.tracing.documents import summary

    line = summary(slow)
    known = store.summaries(home(), reasons=(BASELINE,), name=line.name if line else "", limit=201)
    others = sorted((other for other in known if other.status < 400), key=lambda other: other.seconds)
    if not others:
        raise UsageError("no normal trace of this request is kept; name one: fleetops trace diff ID NORMAL")
    return store.find(home(), others[len(others) // 2].trace_id)
