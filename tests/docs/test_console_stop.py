"""Stopping a drill on the console: by keyboard, in every tab, accessible, and also when its process was killed.

A stand-in for the drill's process takes the signal and undoes nothing; everything else is real.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import chromium
import pytest
from made_up_console import MODE, Console
from polling import eventually

from lab.drills.run import stoppable
from lab.drills.undo.journal import journal_path

pytestmark = pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH")

STOP = "document.querySelector('[data-part=drill-stop]')"
DIALOG = "document.querySelector('[data-part=stop-dialog]')"
STATE = "document.querySelector('[data-part=drill-state]').textContent"
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
def page(page: chromium.Page, console: Console, drill: subprocess.Popen[bytes]) -> chromium.Page:
    """The console of the running drill, in a browser that has its key."""
    console.give_key(page)
    opened(page, console)
    return page


def opened(page: chromium.Page, console: Console) -> None:
    page.open(f"{console.url}/lab/")
    page.until(f"{MODE} === 'live' && {STOP}.offsetParent !== null")
    page.value("document.querySelector('[data-part=by]').value = 'ada'")


def ask(page: chromium.Page) -> None:
    page.value(f"{STOP}.focus()")
    page.press("Enter", "\r")
    page.until(f"{DIALOG}.open && document.activeElement.closest('dialog') === {DIALOG}")


def confirm(page: chromium.Page) -> None:
    page.press("Tab")
    page.until("document.activeElement.value === 'stop'")
    page.press("Enter", "\r")


def pictures() -> Path | None:
    """The folder for screenshots, or None if FLEETOPS_PICTURES is not set."""
    return Path(folder) if (folder := os.environ.get("FLEETOPS_PICTURES")) else None


def photograph(page: chromium.Page, name: str) -> None:
    if folder := pictures():
        page.value("document.querySelector('#console-drill').scrollIntoView({ block: 'start' })")
        page.photograph(folder / f"{name}.png")


def test_stop_asks_first_then_shows_progress_and_outcome_in_every_tab(
    console: Console, page: chromium.Page, browser: chromium.Browser, drill: subprocess.Popen[bytes]
) -> None:
    with browser.page() as other:
        console.give_key(other)
        opened(other, console)
        assert "INC-001 is running, started by ada, responder human" in page.value(STATE)
        ask(page)
        assert "Everything it changed is undone" in page.value(f"{DIALOG}.textContent")
        page.press("Enter", "\r")  # the focus is on the button that continues the drill
        page.until(f"!{DIALOG}.open && document.activeElement === {STOP}")
        ask(page)
        page.press("Escape")
        page.until(f"!{DIALOG}.open")
        assert drill.poll() is None
        ask(page)
        confirm(page)
        for tab in (page, other):
            tab.until(f"{STATE}.includes('INC-001 is being given up by ada: undoing')")
            assert tab.value(f"{STOP}.disabled")
        (console.home.run / "may-end").touch()
        for tab in (page, other):
            tab.until(f"/^INC-001: given up, undone in [0-9.]+ s \\(by ada\\)$/.test({STATE})")
            assert tab.value(f"{STOP}.offsetParent === null")
            assert not tab.value("document.querySelector('[data-part=drill-start]').disabled")
            assert not tab.problems
        assert page.value("document.activeElement === document.querySelector('[data-part=drill-state]')")


def test_a_killed_drill_is_undone_from_its_journal_and_a_failure_is_shown(
    console: Console, page: chromium.Page, drill: subprocess.Popen[bytes]
) -> None:
    journal_path(console.home).write_text("{")
    drill.kill()
    drill.wait()
    page.until(f"{STOP}.textContent === 'Undo'")
    assert "killed before it could undo" in page.value(STATE)
    ask(page)
    confirm(page)
    page.until("document.querySelector('[data-part=drill-error]').textContent.includes('drill.journal.json')")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 1400), (390, 844)], ids=["desktop", "phone"])
def test_the_stop_button_and_its_dialog_are_accessible_and_fit(
    console: Console, page: chromium.Page, axe: str, width: int, height: int, dark: bool
) -> None:
    page.view(width, height, dark=dark)
    opened(page, console)
    page.value(axe + "; undefined")
    photograph(page, f"running-{width}-{'dark' if dark else 'light'}")
    page.until(f"{DIALOG} && !{DIALOG}.open")
    assert broken(page, "[aria-labelledby=console-drill]") == []
    ask(page)
    photograph(page, f"question-{width}-{'dark' if dark else 'light'}")
    assert broken(page, "[data-part=stop-dialog]") == []
    box = page.value(
        f"(({{ left, right, top, bottom }}) => [left, right, top, bottom])({DIALOG}.getBoundingClientRect())"
    )
    assert box[0] >= 0
    assert box[1] <= width
    assert box[2] >= 0
    assert box[3] <= height


def broken(page: chromium.Page, part: str) -> list[str]:
    """The violations that axe finds in one part of the page."""
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    violations: list[str] = page.value(
        f"axe.run(document.querySelector('{part}'), {json.dumps(rules)})"
        ".then((found) => found.violations.map((one) => `${one.id}: ${one.nodes[0].html}`))"
    )
    return violations
