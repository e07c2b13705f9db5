"""The site as `make site` builds it, at an address, and a browser to look at it; and its pages, to be broken."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import chromium
import pytest
from made_up_console import Console
from published import serve

from lab.errors import ToolError
from lab.paths import DOCS, ROOT
from lab.site.build import npm


@pytest.fixture
def docs_copy(tmp_path: Path) -> Path:
    """The docs, to be broken."""
    return shutil.copytree(DOCS, tmp_path / "docs")


@pytest.fixture(scope="session")
def site_folder(built_site: Path) -> Path:
    """The strict build of what is committed. An older one, as a lab may serve, is not good enough here."""
    done = subprocess.run(
        ["make", "--no-print-directory", "site"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return built_site


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
def console(site_folder: Path, tmp_path: Path) -> Iterator[Console]:
    """A console of its own; a tab of `page` has its key once `console.give_key(page)` has been called."""
    running = Console(site_folder, tmp_path / "home")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def page(browser: chromium.Browser) -> Iterator[chromium.Page]:
    """A tab in which everything is in sight, for charts are drawn when they come near."""
    with browser.page() as opened:
        opened.view(1280, 3000)
        yield opened


@pytest.fixture(scope="session")
def axe() -> str:
    """The script that judges a page by the rules of accessibility."""
    try:
        return (npm.packages(Path(__file__).with_name("web")) / "axe-core" / "axe.min.js").read_text()
    except ToolError as error:
        pytest.skip(f"no axe here: {error}")
