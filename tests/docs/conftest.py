"""The site as `make site` builds it, in a folder of its own and at an address, and a browser to look at it.

Until INC-001 is recorded, with a made-up record.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import chromium
import pytest
from made_record import record
from mkdocs_build import build
from published import serve

from lab.places import DOCS

Build = Callable[[Path, Path], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def docs_copy(tmp_path: Path) -> Path:
    """The docs, to be broken."""
    copy = tmp_path / "docs"
    shutil.copytree(DOCS, copy)
    if not (copy / "records" / "INC-001.json").exists():
        (copy / "records").mkdir(exist_ok=True)
        (copy / "records" / "INC-001.json").write_text(json.dumps(record()))
    return copy


@pytest.fixture(scope="session")
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The strict build of what is committed."""
    folder = tmp_path_factory.mktemp("site")
    docs = DOCS
    if not (DOCS / "records" / "INC-001.json").exists():
        docs = folder / "docs"
        shutil.copytree(DOCS, docs)
        (docs / "records").mkdir(exist_ok=True)
        (docs / "records" / "INC-001.json").write_text(json.dumps(record()))
    done = build(docs, folder / "out")
    assert done.returncode == 0, done.stderr
    return folder / "out"


@pytest.fixture(scope="session")
def published(site_folder: Path) -> Iterator[str]:
    """Its address."""
    with serve(site_folder) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[chromium.Browser]:
    """One for each file."""
    with chromium.browser() as started:
        yield started


@pytest.fixture
def page(browser: chromium.Browser) -> Iterator[chromium.Page]:
    """A tab in which everything is in sight, for charts are drawn when they come near."""
    with browser.page() as opened:
        opened.view(1280, 3000)
        yield opened
