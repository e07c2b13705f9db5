"""The console of a running lab in a browser: a drill from start to score, with a human responder, without a reload."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import chromium
import psutil
import pytest
from embedded import EmbeddedLab, more_drills
from made_up_console import expect_mode
from playwright.sync_api import Browser, Locator, Page, expect

from lab.clients.prometheus import Prometheus
from lab.drills.run.stoppable import runner
from lab.drills.undo.journal import journal_path

pytestmark = [
    pytest.mark.stack,
    pytest.mark.usefixtures("usual_traffic"),
    pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH"),
    pytest.mark.timeout(720, func_only=True),
]
STOP = "[data-part=drill-stop]"
DIALOG = "[data-part=stop-dialog]"
STATE = "[data-part=drill-state]"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """The folder for screenshots: FLEETOPS_PICTURES, to renew those of the README, or a temporary folder."""
    folder = Path(os.environ.get("FLEETOPS_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def tabs(lab: EmbeddedLab, browser: Browser, problems: list[str], page: Page) -> Iterator[tuple[Page, Page]]:
    """The live console in two tabs, opened by the URL that `fleetops status` prints."""
    console, url = f"http://127.0.0.1:{lab.ports.console}/", lab.status()["console_url"]
    with browser.new_page() as other:
        for tab in (page, other):
            tab.set_viewport_size({"width": 1280, "height": 1560})
            tab.goto(url)
            tab.wait_for_url(console)
            chromium.visit(tab, f"{console}lab/")
            expect_mode(tab, "live")
        yield page, other


def alerts(page: Page) -> Locator:
    """The pages of FeedLatencyP99Burn. A ticket of the same alert, or of an earlier drill, may be listed beside one."""
    named = page.locator("b", has_text=re.compile("^FeedLatencyP99Burn$"))
    paging = page.locator(".console-page__head .lab-badge", has_text=re.compile("^page$"))
    return page.locator(".console-pages li").filter(has=named).filter(has=paging)


def firing(page: Page) -> Locator:
    """Those of its pages that still fire."""
    return alerts(page).and_(page.locator("[data-status=firing]"))


def run_step(page: Page, number: int, step: str) -> None:
    """Press Run on the first command of a branch's step, and wait for its result."""
    run = page.locator(f'.console-branches > li:nth-child({number}) [data-key^="{number}-{step}-"]').first
    run.click()
    expect(run.locator("xpath=ancestor::li[1]").locator(".lab-badge")).not_to_have_count(0, timeout=130_000)
    expect(run).to_have_text("Run", timeout=130_000)


@more_drills
def test_a_drill_started_on_the_console_is_paged_acknowledged_mitigated_and_scored_there(
    lab: EmbeddedLab, tabs: tuple[Page, Page], problems: list[str], pictures: Path
) -> None:
    page, other = tabs
    expect(firing(page)).to_have_count(0, timeout=260_000)  # a page of an earlier drill may still be firing
    page.evaluate("window.neverReloaded = true")
    start_inc_001(page)
    expect(other.locator("[data-part=drill-start]")).to_be_disabled()

    acknowledge = firing(page).first.locator("button[data-page]")
    expect(acknowledge).to_be_visible(timeout=260_000)
    expect(page.locator(".console-tile[data-state=page]")).not_to_have_count(0)
    page.screenshot(path=pictures / "paged.png")

    acknowledge.click()
    for tab in tabs:
        expect(tab.locator(".console-pages")).to_contain_text("acknowledged by ada")
    expect(page.locator(".console-runbook")).to_contain_text("FeedLatencyP99Burn")
    run_step(page, 1, "check")
    expect(page.locator("[data-part=runbook]")).to_contain_text("applies")
    run_step(page, 1, "mitigate")
    for tab in tabs:
        expect(tab.locator("[data-part=audit]")).to_contain_text("ada")
    tile = page.locator(".console-tile", has_text="feed latency p99").first
    expect(tile).to_have_attribute("data-state", re.compile("^(ok|ticket)$"), timeout=90_000)
    expect(alerts(page).and_(page.locator(":not([data-status=resolved])"))).to_have_count(0, timeout=90_000)
    page.screenshot(path=pictures / "recovered.png")
    score = page.locator("[data-part=score]")
    expect(score).to_contain_text("INC-001", timeout=150_000)
    expect(score).to_contain_text("of 100 points")
    assert page.evaluate("window.neverReloaded") is True
    assert not problems
    score.evaluate("(section) => section.scrollIntoView({ block: 'center' })")
    page.screenshot(path=pictures / "scored.png")

    show = json.loads(lab.fleetops("incident", "show", "INC-001", "--json").stdout)
    assert show["responder"] == "human"
    assert "ada" in {row["actor"] for row in show["actions"]}
    # On a busy machine another alert may fire too; the actions here must have worked, and the verdict must be shown.
    checks = {check["name"]: check["passed"] for check in show["verdict"]["checks"]}
    assert checks["page_arrived"]
    assert checks["sli_recovered"]
    expect(score).to_contain_text("passed" if show["verdict"]["passed"] else "failed")


def start_inc_001(page: Page) -> None:
    """Choose INC-001 and press Start, as ada."""
    page.locator("[data-part=by]").fill("ada")
    page.locator("[data-part=drill]").select_option("INC-001")
    page.locator("[data-part=drill-start]").click()
    expect(page.locator(STATE)).to_contain_text("INC-001 is running")


def press_stop(page: Page) -> None:
    """With the keyboard alone: Enter on the button opens the dialog, Tab and Enter confirm."""
    stop = page.locator(STOP)
    expect(stop).to_be_enabled()
    stop.press("Enter")
    expect(page.locator(f"{DIALOG}[open] :focus")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_attribute("value", "stop")
    page.keyboard.press("Enter")


def expect_stopped(tab: Page, name: str) -> None:
    """Wait until a tab says that ada stopped the drill."""
    said = re.compile(rf"{name}: given up, undone in .*\(by ada\)")
    expect(tab.locator(STATE)).to_contain_text(said, timeout=90_000)


def test_a_drill_started_on_the_console_is_stopped_there_by_keyboard(
    lab: EmbeddedLab, tabs: tuple[Page, Page], problems: list[str], pictures: Path
) -> None:
    page, other = tabs
    expect(page.locator(STOP)).to_be_hidden()  # nothing to stop
    start_inc_001(page)
    expect(other.locator(STOP)).to_be_visible()
    page.locator(STOP).click()
    expect(page.locator(DIALOG)).to_be_visible()
    page.screenshot(path=pictures / "stop.png")
    expect(page.locator("[data-part=stop-text]")).to_contain_text("Everything it changed is undone")
    page.keyboard.press("Enter")  # the focus is on the button that continues the drill
    expect(page.locator(DIALOG)).to_be_hidden()
    expect(page.locator(STATE)).to_contain_text("is running")
    press_stop(page)
    for tab in tabs:
        expect_stopped(tab, "INC-001")
        expect(tab.locator(STOP)).to_be_hidden()
        expect(tab.locator("[data-part=drill-start]")).to_be_enabled()
    assert not journal_path(lab.home).exists()
    assert runner(lab.home) is None
    assert not problems


@more_drills
def test_an_injected_fault_is_undone_when_its_drill_is_stopped(lab: EmbeddedLab, tabs: tuple[Page, Page]) -> None:
    page, _ = tabs
    flow = page.locator("[data-part=flow]")
    start_inc_001(page)
    expect(flow).to_contain_text(re.compile("Canary weight [1-9]"), timeout=300_000)
    press_stop(page)
    expect_stopped(page, "INC-001")
    expect(flow).to_contain_text("Canary weight 0 %", timeout=30_000)
    assert not journal_path(lab.home).exists()


@more_drills
def test_a_drill_killed_with_its_watchdog_is_undone_on_the_console(lab: EmbeddedLab, tabs: tuple[Page, Page]) -> None:
    page, _ = tabs
    flow = page.locator("[data-part=flow]")
    start_inc_001(page)
    expect(flow).to_contain_text(re.compile("Canary weight [1-9]"), timeout=300_000)
    running = runner(lab.home)
    assert running is not None
    drill = psutil.Process(running.pid)
    for child in drill.children():
        if "lab.drills.undo.watchdog" in child.cmdline():
            child.kill()
    drill.kill()
    expect(page.locator(STOP)).to_have_text("Undo")
    expect(page.locator(STATE)).to_contain_text("killed before it could undo")
    press_stop(page)
    expect_stopped(page, "a killed drill")
    expect(flow).to_contain_text("Canary weight 0 %", timeout=30_000)
    assert not journal_path(lab.home).exists()


def test_the_lab_answers_a_query_and_the_log_lines_of_a_request(
    lab: EmbeddedLab, tabs: tuple[Page, Page], problems: list[str]
) -> None:
    page, _ = tabs
    page.locator("[data-part=query-tab]").click()
    # A rate needs two scrapes and its chart two rates, and an earlier drill emptied the history.
    served = 'rate(http_server_request_duration_seconds_count{job="feed"}[10s] offset 10s)'
    Prometheus.of(lab.home, lab.ports).wait(served, 40)
    page.locator("[data-part=query-form]").evaluate("(form) => form.requestSubmit()")
    expect(page.locator("[data-part=query-rows]")).to_contain_text("service_version", timeout=30_000)
    # A chart is drawn when it comes into view.
    chart = page.locator("[data-part=query-chart]")
    expect(chart.locator("figure")).not_to_have_count(0)
    chart.scroll_into_view_if_needed()
    expect(chart.locator("canvas")).not_to_have_count(0)
    page.locator("[data-part=logs-tab]").click()
    page.locator("[data-part=requests] button").first.click(timeout=60_000)
    lines = page.locator("[data-part=log-lines]")
    expect(lines).to_contain_text('"trace_id"', timeout=30_000)
    assert "gateway" in {json.loads(line)["service"] for line in (lines.text_content() or "").splitlines()}
    assert not problems
