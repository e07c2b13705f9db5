"""The site as `make site` builds it, served over HTTP, a browser, and a copy of its pages to break."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import chromium
import pytest
from made_up_console import Console
from playwright.sync_api import Browser, BrowserContext, Page
from published import serve

from lab.errors import ToolError
from lab.paths import DOCS, ROOT
from lab.site.build import npm


@pytest.fixture
def docs_copy(tmp_path: Path) -> Path:
    """A copy of the docs for a test to break."""
    return shutil.copytree(DOCS, tmp_path / "docs")


@pytest.fixture(scope="session")
def site_folder(built_site: Path) -> Path:
    """The strict build of the current sources. Fails where a lab would serve an older build."""
    done = subprocess.run(
        ["make", "--no-print-directory", "site"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return built_site


@pytest.fixture(scope="session")
def published(site_folder: Path) -> Iterator[str]:
    """The URL at which the built site is served, without a lab."""
    with serve(site_folder) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser per test file."""
    with chromium.browser() as started:
        yield started


@pytest.fixture
def console(site_folder: Path, tmp_path: Path) -> Iterator[Console]:
    """A console of the test's own; `console.give_key(page)` gives a tab its key."""
    running = Console(site_folder, tmp_path / "home")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Storage and cache of the test's own. Tabs show a whole page, as charts are drawn when they come into view."""
    with browser.new_context(viewport={"width": 1280, "height": 3000}) as opened:
        yield opened


@pytest.fixture
def problems(context: BrowserContext) -> list[str]:
    """The errors on the console and the exceptions of the test's tabs."""
    return chromium.problems(context)


@pytest.fixture
def page(context: BrowserContext, problems: list[str]) -> Page:
    """A tab."""
    return context.new_page()


@pytest.fixture(scope="session")
def axe_source() -> str | None:
    """The source of axe, which checks a page for accessibility, or None where it cannot be had."""
    try:
        return (npm.packages(Path(__file__).with_name("web")) / "axe-core" / "axe.min.js").read_text()
    except ToolError:
        return None


@pytest.fixture(scope="session")
def axe(axe_source: str | None) -> str:
    """The source of axe; without it the test is skipped."""
    if axe_source is None:
        pytest.skip("axe is neither installed nor to be downloaded")
    return axe_source
