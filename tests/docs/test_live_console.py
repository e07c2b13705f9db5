"""The console of a running lab in a browser: a drill from start to score, answered by hand, without a reload."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import chromium
import pytest
from embedded import EmbeddedLab, more_drills

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH"),
    pytest.mark.timeout(720, func_only=True),
]
TILE = "[...document.querySelectorAll('.console-tile')].find((one) => one.textContent.includes('feed latency p99'))"
# A ticket of the same alert may stand beside the page, and one of an earlier drill.
PAGES = (
    "[...document.querySelectorAll('.console-pages li')].filter((one) => "
    "one.querySelector('b')?.textContent === 'FeedLatencyP99Burn'"
    " && one.querySelector('.lab-badge')?.textContent === 'page')"
)
FIRING = f"{PAGES}.find((one) => one.dataset.status === 'firing')"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where screenshots go: FLEETOPS_PICTURES, so that the README's can be taken anew, or a folder of the test's."""
    folder = Path(os.environ.get("FLEETOPS_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def tabs(lab: EmbeddedLab) -> Iterator[tuple[chromium.Page, chromium.Page]]:
    """The console in two browsers, live."""
    with chromium.browser() as browser, browser.page() as one, browser.page() as two:
        for page in (one, two):
            page.view(1280, 1560)
            page.open(f"http://127.0.0.1:{lab.ports.console}/lab/")
            page.until("document.getElementById('live-console').dataset.mode === 'live'")
        yield one, two


def text(page: chromium.Page, part: str) -> str:
    return str(page.value(f"document.querySelector('[data-part=\"{part}\"]').textContent"))


def run_step(page: chromium.Page, number: int, step: str) -> None:
    """Press Run on the first command of a branch's step, and wait for what came of it."""
    row = f"document.querySelector('.console-branches > li:nth-child({number}) [data-key^=\"{number}-{step}-\"]')"
    page.value(f"{row}.click()")
    page.until(f"{row} && {row}.textContent === 'Run' && {row}.closest('li').querySelector('.lab-badge')", 130)


@more_drills
def test_a_drill_started_on_the_console_is_paged_taken_mitigated_and_scored_there(
    lab: EmbeddedLab, tabs: tuple[chromium.Page, chromium.Page], pictures: Path
) -> None:
    page, other = tabs
    page.until(f"!{FIRING}", 260)  # what an earlier drill left firing is not this one's page
    page.value("window.neverReloaded = true")
    page.value("document.querySelector('[data-part=by]').value = 'ada'")
    page.value("document.querySelector('[data-part=drill]').value = 'INC-001'")
    page.value("document.querySelector('[data-part=drill-form]').requestSubmit()")
    page.until("document.querySelector('[data-part=drill-state]').textContent.includes('INC-001 is running')")
    other.until("document.querySelector('[data-part=drill-start]').disabled")

    page.until(f"{FIRING}?.querySelector('button[data-page]')", 260)
    page.until("document.querySelector('.console-tile[data-state=page]')")
    page.photograph(pictures / "paged.png")

    page.value(f"{FIRING}.querySelector('button').click()")
    for tab in tabs:
        tab.until("document.querySelector('.console-pages').textContent.includes('taken by ada')")
    page.until("document.querySelector('.console-runbook').textContent.includes('FeedLatencyP99Burn')")
    run_step(page, 1, "check")
    assert "applies" in text(page, "runbook")
    run_step(page, 1, "mitigate")
    for tab in tabs:
        tab.until("document.querySelector('[data-part=audit]').textContent.includes('ada')")
    page.until(f"['ok', 'ticket'].includes(({TILE}).dataset.state)", 90)
    page.until(f"{PAGES}.every((one) => one.dataset.status === 'resolved')", 90)
    page.photograph(pictures / "recovered.png")
    page.until("document.querySelector('[data-part=score]').textContent.includes('INC-001')", 150)
    assert "of 100 points" in text(page, "score")
    assert page.value("window.neverReloaded") is True
    assert not page.problems
    page.value("document.querySelector('[data-part=score]').scrollIntoView({ block: 'center' })")
    page.photograph(pictures / "scored.png")

    show = json.loads(lab.fleetops("incident", "show", "INC-001", "--json").stdout)
    assert show["responder"] == "human"
    assert "ada" in {row["actor"] for row in show["actions"]}
    # On a busy machine another alert may fire beside; what was done here must have worked, and be told as graded.
    checks = {check["name"]: check["passed"] for check in show["verdict"]["checks"]}
    assert checks["page_arrived"]
    assert checks["sli_recovered"]
    assert ("passed" if show["verdict"]["passed"] else "failed") in text(page, "score")


def test_a_query_and_the_log_lines_of_a_request_are_answered_by_the_lab(
    tabs: tuple[chromium.Page, chromium.Page],
) -> None:
    page, _ = tabs
    page.value("document.querySelector('[data-part=query-tab]').click()")
    page.value("document.querySelector('[data-part=query-form]').requestSubmit()")
    page.until("document.querySelector('[data-part=query-rows]').textContent.includes('service_version')", 30)
    # A chart is drawn when it comes into sight.
    page.until("document.querySelector('[data-part=query-chart] figure')")
    page.value("document.querySelector('[data-part=query-chart]').scrollIntoView()")
    page.until("document.querySelector('[data-part=query-chart] canvas')")
    page.value("document.querySelector('[data-part=logs-tab]').click()")
    page.until("document.querySelector('[data-part=requests] button')", 60)
    page.value("document.querySelector('[data-part=requests] button').click()")
    page.until("document.querySelector('[data-part=log-lines]').textContent.includes('\"trace_id\"')", 30)
    services = page.value(
        "[...new Set(document.querySelector('[data-part=log-lines]').textContent.split('\\n')"
        ".map((line) => JSON.parse(line).service))]"
    )
    assert "gateway" in services
    assert not page.problems
