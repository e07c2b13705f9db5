"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import click


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], empty: str) -> None:
    """Columns as wide as they need to be; `empty` when there is no row."""
    if not rows:
        click.echo(empty)
        return
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
