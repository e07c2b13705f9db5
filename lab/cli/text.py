"""Output for a terminal: tables, name-value lists, JSON, and numbers with their unit."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

Row = Sequence[str]


def table(head: Row, rows: Sequence[Row], empty: str, *, right: Sequence[str] = ()) -> None:
    """Print rows under their headings, in aligned columns; print `empty` without rows.

    Every row has one cell per heading. `right` names the headings of right-aligned columns.
    """
    if not rows:
        click.echo(empty)
        return
    for line in aligned([head, *rows], [head.index(name) for name in right]):
        click.echo(line)


def fields(rows: Sequence[Row]) -> None:
    """Print rows without headings, in aligned columns. Every row has the same number of cells, the name first."""
    for line in aligned(rows):
        click.echo(line)


def aligned(rows: Sequence[Row], right: Sequence[int] = ()) -> list[str]:
    """The rows as lines, each column as wide as its widest cell. `right` has the indexes of right-aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def print_json(value: Any) -> None:
    """Print a value as indented JSON; dataclasses and documents as objects of their fields."""
    from lab.clients.documents import as_builtins

    click.echo(json.dumps(as_builtins(value), indent=1))


def seconds(value: float | None) -> str:
    """A duration with one decimal, or "-" for None."""
    return "-" if value is None else f"{value:.1f} s"


def mib(count: int) -> str:
    """A number of bytes in MiB; below 10 MiB with one decimal."""
    value = count / (1 << 20)
    return f"{value:.1f} MiB" if value < 10 else f"{value:.0f} MiB"


def on_terminal() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout.isatty()


def colored() -> bool:
    """Whether to print colours: on a terminal, unless NO_COLOR is set (https://no-color.org)."""
    return on_terminal() and not os.environ.get("NO_COLOR")
