"""The console of a running lab in a browser: a drill from start to score, with a human responder, without a reload."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import chromium
import psutil
import pytest
from embedded import EmbeddedLab, more_drills

from lab.clients.prometheus import Prometheus
from lab.drills.run.stoppable import runner
from lab.drills.undo.journal import journal_path

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH"),
    pytest.mark.timeout(720, func_only=True),
]
TILE = "[...document.querySelectorAll('.console-tile')].find((one) => one.textContent.includes('feed latency p99'))"
# A ticket of the same alert, or of an earlier drill, may be listed beside the page.
PAGES = (
    "[...document.querySelectorAll('.console-pages li')].filter((one) => "
    "one.querySelector('b')?.textContent === 'FeedLatencyP99Burn'"
    " && one.querySelector('.lab-badge')?.textContent === 'page')"
)
FIRING = f"{PAGES}.find((one) => one.dataset.status === 'firing')"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """The folder for screenshots: FLEETOPS_PICTURES, to renew those of the README, or a temporary folder."""
    folder = Path(os.environ.get("FLEETOPS_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def tabs(lab: EmbeddedLab) -> Iterator[tuple[chromium.Page, chromium.Page]]:
    """The live console in two tabs, opened by the URL that `fleetops status` prints."""
    console, url = f"http://127.0.0.1:{lab.ports.console}/", lab.status()["console_url"]
    with chromium.browser() as browser, browser.page() as one, browser.page() as two:
        for page in (one, two):
            page.view(1280, 1560)
            page.call("Page.navigate", url=url)
            page.until(f"location.href === '{console}'")
            page.open(f"{console}lab/")
            page.until("document.getElementById('live-console').dataset.mode === 'live'")
        yield one, two


def text(page: chromium.Page, part: str) -> str:
    return str(page.value(f"document.querySelector('[data-part=\"{part}\"]').textContent"))


def run_step(page: chromium.Page, number: int, step: str) -> None:
    """Press Run on the first command of a branch's step, and wait for its result."""
    row = f"document.querySelector('.console-branches > li:nth-child({number}) [data-key^=\"{number}-{step}-\"]')"
    page.value(f"{row}.click()")
    page.until(f"{row} && {row}.textContent === 'Run' && {row}.closest('li').querySelector('.lab-badge')", 130)


@more_drills
def test_a_drill_started_on_the_console_is_paged_acknowledged_mitigated_and_scored_there(
    lab: EmbeddedLab, tabs: tuple[chromium.Page, chromium.Page], pictures: Path
) -> None:
    page, other = tabs
    page.until(f"!{FIRING}", 260)  # a page of an earlier drill may still be firing
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
        tab.until("document.querySelector('.console-pages').textContent.includes('acknowledged by ada')")
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
    # On a busy machine another alert may fire too; the actions here must have worked, and the verdict must be shown.
    checks = {check["name"]: check["passed"] for check in show["verdict"]["checks"]}
    assert checks["page_arrived"]
    assert checks["sli_recovered"]
    assert ("passed" if show["verdict"]["passed"] else "failed") in text(page, "score")


def start_inc_001(page: chromium.Page) -> None:
    """Choose INC-001 and press Start, as ada."""
    page.until("document.querySelector('[data-part=drill] option[value=INC-001]')")
    page.value("document.querySelector('[data-part=by]').value = 'ada'")
    page.value("document.querySelector('[data-part=drill]').value = 'INC-001'")
    page.value("document.querySelector('[data-part=drill-form]').requestSubmit()")
    page.until("document.querySelector('[data-part=drill-state]').textContent.includes('INC-001 is running')")


def press_stop(page: chromium.Page) -> None:
    """With the keyboard alone: Enter on the button opens the dialog, Tab and Enter confirm."""
    page.until(f"{STOP}.offsetParent !== null && !{STOP}.disabled")
    page.value(f"{STOP}.focus()")
    page.press("Enter", "\r")
    page.until(f"{DIALOG}.open && document.activeElement.closest('dialog') === {DIALOG}")
    page.press("Tab")
    page.until("document.activeElement.value === 'stop'")
    page.press("Enter", "\r")


def was_stopped(page: chromium.Page, name: str) -> bool:
    state = text(page, "drill-state")
    return f"{name}: given up, undone in " in state and "(by ada)" in state


STOP = "document.querySelector('[data-part=drill-stop]')"
DIALOG = "document.querySelector('[data-part=stop-dialog]')"


def test_a_drill_started_on_the_console_is_stopped_there_by_keyboard(
    lab: EmbeddedLab, tabs: tuple[chromium.Page, chromium.Page], pictures: Path
) -> None:
    page, other = tabs
    assert page.value(f"{STOP}.offsetParent === null")  # nothing to stop
    start_inc_001(page)
    other.until(f"{STOP}.offsetParent !== null")
    page.value(f"{STOP}.click()")
    page.until(f"{DIALOG}.open")
    page.photograph(pictures / "stop.png")
    assert "Everything it changed is undone" in text(page, "stop-text")
    page.press("Enter", "\r")  # the focus is on the button that continues the drill
    page.until(f"!{DIALOG}.open")
    page.until("document.querySelector('[data-part=drill-state]').textContent.includes('is running')")
    press_stop(page)
    for tab in tabs:
        tab.until("document.querySelector('[data-part=drill-state]').textContent.includes('given up, undone in')", 90)
        assert was_stopped(tab, "INC-001")
        assert tab.value(f"{STOP}.offsetParent === null")
        assert not tab.value("document.querySelector('[data-part=drill-start]').disabled")
    assert not journal_path(lab.home).exists()
    assert runner(lab.home) is None
    assert not page.problems


@more_drills
def test_an_injected_fault_is_undone_when_its_drill_is_stopped(
    lab: EmbeddedLab, tabs: tuple[chromium.Page, chromium.Page]
) -> None:
    page, _ = tabs
    weight = "document.querySelector('[data-part=flow]').textContent"
    start_inc_001(page)
    page.until(f"/Canary weight [1-9]/.test({weight})", 300)
    press_stop(page)
    page.until("document.querySelector('[data-part=drill-state]').textContent.includes('given up, undone in')", 90)
    assert was_stopped(page, "INC-001")
    page.until(f"{weight}.includes('Canary weight 0 %')", 30)
    assert not journal_path(lab.home).exists()


@more_drills
def test_a_drill_killed_with_its_watchdog_is_undone_on_the_console(
    lab: EmbeddedLab, tabs: tuple[chromium.Page, chromium.Page]
) -> None:
    page, _ = tabs
    weight = "document.querySelector('[data-part=flow]').textContent"
    start_inc_001(page)
    page.until(f"/Canary weight [1-9]/.test({weight})", 300)
    running = runner(lab.home)
    assert running is not None
    drill = psutil.Process(running.pid)
    for child in drill.children():
        if "lab.drills.undo.watchdog" in child.cmdline():
            child.kill()
    drill.kill()
    page.until(f"{STOP}.textContent === 'Undo'")
    assert "killed before it could undo" in text(page, "drill-state")
    press_stop(page)
    page.until("document.querySelector('[data-part=drill-state]').textContent.includes('given up, undone in')", 90)
    assert was_stopped(page, "a killed drill")
    page.until(f"{weight}.includes('Canary weight 0 %')", 30)
    assert not journal_path(lab.home).exists()


def test_the_lab_answers_a_query_and_the_log_lines_of_a_request(
    lab: EmbeddedLab,
    tabs: tuple[chromium.Page, chromium.Page],
) -> None:
    page, _ = tabs
    page.value("document.querySelector('[data-part=query-tab]').click()")
    # A rate needs two scrapes and its chart two rates, and an earlier drill emptied the history.
    served = 'rate(http_server_request_duration_seconds_count{job="feed"}[10s] offset 10s)'
    Prometheus.of(lab.home, lab.ports).wait(served, 40)
    page.value("document.querySelector('[data-part=query-form]').requestSubmit()")
    page.until("document.querySelector('[data-part=query-rows]').textContent.includes('service_version')", 30)
    # A chart is drawn when it comes into view.
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
