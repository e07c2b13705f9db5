"""A site context over the real rules and drills, with a made-up record."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_record import record

from lab.paths import DOCS
from lab.site.sources.context import SiteContext


@pytest.fixture
def context(tmp_path: Path) -> SiteContext:
    """The committed docs with a made-up record of INC-001 and no other record or postmortem."""
    docs = tmp_path / "docs"
    shutil.copytree(DOCS, docs, ignore=shutil.ignore_patterns("records", "INC-00[2-9]_*", "INC-0[1-9]?_*"))
    (docs / "records").mkdir()
    (docs / "records" / "INC-001.json").write_text(json.dumps(record()))
    return SiteContext(docs=docs)


@pytest.fixture
def rewrite(context: SiteContext) -> Callable[..., None]:
    """Writes the record of INC-001 again, with the given top-level keys replaced."""

    def write(**changes: Any) -> None:
        (context.docs / "records" / "INC-001.json").write_text(json.dumps(record() | changes))

    return write
