"""A book over the real rules and drills, with the made-up record."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from made_record import record

from lab.paths import DOCS
from lab.site.sources.context import Book


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """The committed docs with a made-up record of INC-001 in place of what is recorded, and that incident alone."""
    docs = tmp_path / "docs"
    shutil.copytree(DOCS, docs, ignore=shutil.ignore_patterns("records", "INC-00[2-9]_*", "INC-0[1-9]?_*"))
    (docs / "records").mkdir()
    (docs / "records" / "INC-001.json").write_text(json.dumps(record()))
    return Book(docs=docs)
