"""The indexes that the queries need, read from the SQL that creates them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_SQL = Path(__file__).parent / "seed.sql"
_STATEMENT = re.compile(r"^CREATE (?:UNIQUE )?INDEX (\w+) ON [^;]+;$", re.MULTILINE)


@cache
def definitions() -> dict[str, str]:
    """The CREATE INDEX statement of every named index, by index name, without the semicolon."""
    return {match[1]: match[0].rstrip(";") for match in _STATEMENT.finditer(_SQL.read_text(encoding="utf-8"))}


def concurrently(statement: str) -> str:
    """The same statement with CONCURRENTLY, which does not block readers or writers."""
    return statement.replace(" INDEX ", " INDEX CONCURRENTLY ", 1)
