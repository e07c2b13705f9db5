"""The indexes the queries count on, read from the SQL that makes them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_SQL = Path(__file__).parent / "seed.sql"
_STATEMENT = re.compile(r"^CREATE (?:UNIQUE )?INDEX (\w+) ON [^;]+;$", re.MULTILINE)


@cache
def definitions() -> dict[str, str]:
    """Every named index and the statement that makes it, without the semicolon."""
    return {found[1]: found[0].rstrip(";") for found in _STATEMENT.finditer(_SQL.read_text(encoding="utf-8"))}


def concurrently(statement: str) -> str:
    """The same statement for a DB in use: it takes no lock that readers or writers wait for."""
    return statement.replace(" INDEX ", " INDEX CONCURRENTLY ", 1)
