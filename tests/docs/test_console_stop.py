"""Stopping a drill on the console: by keyboard, in every tab, accessible, and also when its process was killed.

A stand-in for the drill's process takes the signal and undoes nothing; everything else is real.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import chromium
import pytest
from made_up_console import Console, expect_mode
from playwright.sync_api import Browser, Page, expect
from polling import eventually

from lab.drills.run import stoppable
from lab.drills.undo.journal import journal_path

pytestmark = pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH")

STOP = "[data-part=drill-stop]"
DIALOG = "[data-part=stop-dialog]"
STATE = "[data-part=drill-state]"
# The names that pages give to the colour schemes, in the order in which the button changes them.
SCHEMES = {"light": "default", "dark": "slate"}
DRILL = """
import sys, time
from pathlib import Path
from lab.drills.run.stoppable import stoppable
from lab.paths import Home

home = Home(Path(sys.argv[1]))
try:
    with stoppable(home, "INC-001"):
        try:
            while True:
                time.sleep(0.01)
        finally:
            while not (home.run / "may-end").exists():
                time.sleep(0.01)
except KeyboardInterrupt:
    sys.exit(1)
"""


@pytest.fixture
def drill(console: Console, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A drill that ends after the signal only when the file may-end exists."""
    monkeypatch.setenv("FLEETOPS_HOME", str(console.home.path))
    monkeypatch.setenv("FLEETOPS_PORT_BASE", str(console.port))
    process = subprocess.Popen([sys.executable, "-c", DRILL, str(console.home.path)])
    assert eventually(lambda: stoppable.runner(console.home), 60)
    about = {"pid": process.pid, "responder": "human", "by": "ada"}
    (console.home.run / "console-drill.json").write_text(json.dumps(about))
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def page(page: Page, console: Console, drill: subprocess.Popen[bytes]) -> Page:
    """The console of the running drill, in a browser that has its key."""
    console.give_key(page)
    opened(page, console)
    return page


def opened(page: Page, console: Console) -> None:
    chromium.visit(page, f"{console.url}/lab/")
    expect_mode(page, "live")
    expect(page.locator(STOP)).to_be_visible()
    page.locator("[data-part=by]").fill("ada")


def ask(page: Page) -> None:
    page.locator(STOP).press("Enter")
    expect(page.locator(f"{DIALOG}[open] :focus")).to_be_visible()


def confirm(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_attribute("value", "stop")
    page.keyboard.press("Enter")


def pictures() -> Path | None:
    """The folder for screenshots, or None if FLEETOPS_PICTURES is not set."""
    return Path(folder) if (folder := os.environ.get("FLEETOPS_PICTURES")) else None


def photograph(page: Page, name: str) -> None:
    if folder := pictures():
        page.locator("#console-drill").evaluate("(title) => title.scrollIntoView({ block: 'start' })")
        page.screenshot(path=folder / f"{name}.png")


def test_stop_asks_first_then_shows_progress_and_outcome_in_every_tab(
    console: Console, page: Page, problems: list[str], browser: Browser, drill: subprocess.Popen[bytes]
) -> None:
    with browser.new_context() as context:
        problems_of_other, other = chromium.problems(context), context.new_page()
        console.give_key(other)
        opened(other, console)
        expect(page.locator(STATE)).to_contain_text("INC-001 is running, started by ada, responder human")
        ask(page)
        expect(page.locator(DIALOG)).to_contain_text("Everything it changed is undone")
        page.keyboard.press("Enter")  # the focus is on the button that continues the drill
        expect(page.locator(DIALOG)).to_be_hidden()
        expect(page.locator(STOP)).to_be_focused()
        ask(page)
        page.keyboard.press("Escape")
        expect(page.locator(DIALOG)).to_be_hidden()
        assert drill.poll() is None
        ask(page)
        confirm(page)
        for tab in (page, other):
            expect(tab.locator(STATE)).to_contain_text("INC-001 is being given up by ada: undoing")
            expect(tab.locator(STOP)).to_be_disabled()
        (console.home.run / "may-end").touch()
        for tab in (page, other):
            expect(tab.locator(STATE)).to_have_text(re.compile(r"^INC-001: given up, undone in [0-9.]+ s \(by ada\)$"))
            expect(tab.locator(STOP)).to_be_hidden()
            expect(tab.locator("[data-part=drill-start]")).to_be_enabled()
        expect(page.locator(STATE)).to_be_focused()
        assert problems + problems_of_other == []


def test_a_killed_drill_is_undone_from_its_journal_and_a_failure_is_shown(
    console: Console, page: Page, drill: subprocess.Popen[bytes]
) -> None:
    journal_path(console.home).write_text("{")
    drill.kill()
    drill.wait()
    expect(page.locator(STOP)).to_have_text("Undo")
    expect(page.locator(STATE)).to_contain_text("killed before it could undo")
    ask(page)
    confirm(page)
    expect(page.locator("[data-part=drill-error]")).to_contain_text("drill.journal.json")


def test_the_stop_button_and_its_dialog_are_accessible_and_fit(page: Page, axe: str) -> None:
    """On a desktop and a phone, in both colour schemes."""
    page.evaluate(axe + "; undefined")
    for width, height in ((1280, 1400), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            photograph(page, f"running-{width}-{scheme}")
            expect(page.locator(DIALOG)).to_be_hidden()
            assert broken(page, "[aria-labelledby=console-drill]") == []
            ask(page)
            photograph(page, f"question-{width}-{scheme}")
            assert broken(page, "[data-part=stop-dialog]") == []
            box = page.locator(DIALOG).bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= height
            page.keyboard.press("Escape")
            page.locator(".lab-scheme").click()
            expect(page.locator("body")).not_to_have_attribute("data-md-color-scheme", SCHEMES[scheme])


def broken(page: Page, part: str) -> list[str]:
    """The violations that axe finds in one part of the page."""
    violations: list[str] = page.locator(part).evaluate(
        "async (part, rules) => (await axe.run(part, { runOnly: rules })).violations"
        ".map((one) => `${one.id}: ${one.nodes[0].html}`)",
        ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    )
    return violations
