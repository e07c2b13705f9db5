"""The console in a real browser: recorded without a lab, live with one, and harmless whatever an alert is called."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import chromium
import pytest
from published import serve
from sources import EVIL, MadeUpPager, MadeUpPrometheus, settings, watcher

from lab.places import DOCS, RUNBOOKS, Home, Ports
from lab.site.console import create_app
from lab.site.hands import Hands
from lab.telemetry.server import Server
from lab.telemetry.settings import Address

pytestmark = pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH")
MODE = "document.getElementById('live-console').dataset.mode"


@pytest.fixture
def published(site_folder: Path) -> Iterator[str]:
    with serve(site_folder) as url:
        yield url


class Console:
    """The console process's app on a port of its own, to be stopped and started."""

    def __init__(self, site: Path, home: Path) -> None:
        self.site = site
        self.home = Home(home)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.pager = MadeUpPager()
        self.prometheus = MadeUpPrometheus()

    def start(self) -> None:
        """Listen."""
        self.draining = threading.Event()
        app = create_app(
            self.site, watcher(self.prometheus, self.pager), Hands(self.home, RUNBOOKS), settings(), self.draining
        )
        self.server = Server(app, Address("127.0.0.1", self.port), threads=16)
        self.server.run_in_thread("console")

    def stop(self) -> None:
        """As a process that is told to stop."""
        self.draining.set()
        self.server.drain(5)


@pytest.fixture
def console(site_folder: Path, tmp_path: Path) -> Iterator[Console]:
    running = Console(site_folder, tmp_path)
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[chromium.Browser]:
    with chromium.browser() as started:
        yield started


@pytest.fixture
def page(browser: chromium.Browser) -> Iterator[chromium.Page]:
    with browser.page() as opened:
        opened.view(1280, 3000)  # everything in sight, for charts are drawn when they come near
        yield opened


def test_a_published_copy_replays_a_record_labelled_as_one_and_asks_nobody_else(
    published: str, page: chromium.Page
) -> None:
    page.open(f"{published}/lab/")
    page.until(f"{MODE} === 'replay'")
    said = page.value("document.querySelector('.console-status').innerText")
    assert "INC-001" in said
    assert "Captured" in said
    assert "lab time, 60x" in said
    page.until("document.querySelectorAll('.console-tile').length === 6")
    assert page.value("document.querySelectorAll('.console-charts canvas').length") >= 5
    assert page.value("getComputedStyle(document.querySelector('figure.lab-chart')).display") == "none"
    hosts = {url.split("/")[2] for url in page.requests if url.startswith("http")}
    assert hosts == {published.removeprefix("http://")}
    assert not page.problems


def test_a_rule_opens_in_the_prometheus_of_the_lab_that_serves_the_page(
    published: str, console: Console, page: chromium.Page
) -> None:
    """A lab of another port base too; a published copy keeps the default ports."""
    first = "new URL(document.querySelector('.lab-open a').href)"
    page.open(f"{console.url}/02_slos_and_alerts/")
    page.until(f"{first}.port === '{Ports(console.port).prometheus}'")
    assert page.value(f"{first}.pathname + {first}.search").startswith("/graph?g0.expr=")
    ports = "new Set([...document.querySelectorAll('.lab-open a')].map((link) => new URL(link.href).port)).size"
    assert page.value(ports) == 1
    page.open(f"{published}/02_slos_and_alerts/")
    page.until("performance.getEntriesByType('resource').some((entry) => entry.name.endsWith('/api/source.json'))")
    assert page.value(f"{first}.port") == str(Ports(8000).prometheus)
    assert not page.problems


def instant(kind: str) -> float:
    """When the committed record of INC-001 has something, in seconds from the injection."""
    rows = json.loads((DOCS / "records" / "INC-001.json").read_text())["timeline"]
    return float(next(row["t_seconds"] for row in rows if row["kind"] == kind))


def seek(page: chromium.Page, seconds: float) -> None:
    page.value(
        "(() => { const scrub = document.querySelector('[data-part=scrub]');"
        f" scrub.value = {seconds}; scrub.dispatchEvent(new Event('input')); }})()"
    )


def test_the_replay_shows_at_each_instant_what_was_known_then(published: str, page: chromium.Page) -> None:
    page.open(f"{published}/lab/?replay=INC-001&t=2")
    page.until(f"{MODE} === 'replay' && document.querySelectorAll('.console-tile').length === 6")
    assert page.value("document.querySelector('[data-part=now]').textContent") == "T+2.0 s"
    assert page.value("document.querySelectorAll('.console-pages li[data-status]').length") == 0
    seek(page, (instant("page") + instant("ack")) / 2)
    page.until("document.querySelector('.console-tile[data-state=page]')")
    assert "nobody has it" in page.value("document.querySelector('.console-pages').textContent")
    assert page.value("document.querySelector('[data-node=feed]').dataset.state") == "bad"
    assert page.value("document.querySelectorAll('.console-runbook .lab-badge').length") == 0
    seek(page, instant("held") - 0.2)
    page.until("document.querySelector('.console-pages').textContent.includes('taken by autopilot')")
    assert "applies" in page.value("document.querySelector('.console-runbook').textContent")
    assert page.value("document.querySelectorAll('.console-tile[data-state=page]').length") == 0
    seek(page, 1000)
    page.until("document.querySelector('[data-part=score] .lab-badge--ok')")


def test_every_committed_record_can_be_chosen_and_played_to_its_end(published: str, page: chromium.Page) -> None:
    page.open(f"{published}/lab/")
    page.until(f"{MODE} === 'replay'")
    idents = page.value("[...document.querySelector('[data-part=source]').options].map((one) => one.value)")
    assert set(idents) == {file.stem for file in (DOCS / "records").glob("*.json")}
    for ident in idents:
        page.value(f"document.querySelector('[data-part=source]').value = '{ident}'")
        page.value("document.querySelector('[data-part=source]').dispatchEvent(new Event('change'))")
        page.until(f"document.querySelector('.console-status').textContent.includes('recorded incident {ident}')")
        for seconds in (-1000, 0, 20, 100000):
            seek(page, seconds)
        page.until("document.querySelector('[data-part=score] .lab-badge')")
        assert f" {ident} " in page.value("document.querySelector('[data-part=score]').textContent")
        page.until("document.querySelectorAll('.console-charts canvas').length > 0")
    assert not page.problems


def test_the_replay_plays_pauses_and_leaps_by_keyboard(published: str, page: chromium.Page) -> None:
    page.open(f"{published}/lab/?replay=INC-001&t=0")
    page.until(f"{MODE} === 'replay'")
    page.value("document.querySelector('[data-part=speed]').value = '16'")
    page.value("document.querySelector('[data-part=speed]').dispatchEvent(new Event('change'))")
    page.value("document.querySelector('[data-part=play]').focus()")
    page.press("Enter", "\r")
    page.until("Number(document.querySelector('[data-part=scrub]').value) > 3")
    page.press("Enter", "\r")
    page.until("document.querySelector('[data-part=play]').textContent === 'Play'")
    fired = f"T+{instant('firing'):.1f} s"
    page.value(f"[...document.querySelectorAll('.console-when')].find((one) => one.textContent === '{fired}').focus()")
    page.press("Enter", "\r")
    page.until("document.querySelector('[data-part=now]').textContent === '" + fired + "'")
    assert page.value("document.activeElement.textContent") == fired
    page.value("document.querySelector('[role=tab]').focus()")
    page.press("ArrowRight")
    page.until(
        "document.activeElement.textContent === 'Logs of a request'"
        " && document.querySelector('#console-panel-logs').offsetParent"
    )
    page.value("document.querySelector('[data-part=requests] button').click()")
    assert '"trace_id"' in page.value("document.querySelector('[data-part=log-lines]').textContent")


def test_the_recorded_charts_stand_without_scripts(published: str, page: chromium.Page) -> None:
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.call("Page.navigate", url=f"{published}/lab/")
    page.until("document.readyState === 'complete' && document.querySelector('figure.lab-chart')")
    assert page.value("document.querySelectorAll('figure.lab-chart svg polyline').length") > 3
    assert page.value("document.querySelector('figure.lab-chart').offsetHeight") > 200
    assert page.value("document.getElementById('live-console').offsetParent") is None


def test_the_console_of_a_lab_is_live_and_hides_the_recording(console: Console, page: chromium.Page) -> None:
    page.open(f"{console.url}/lab/")
    page.until(f"{MODE} === 'live'")
    page.until("document.querySelectorAll('.console-tile').length === 6")
    tile = page.value("document.querySelector('.console-tile[data-state=page]').textContent")
    assert "70.00 %" in tile
    assert page.value("[...document.querySelectorAll('figure.lab-chart')].every((one) => one.offsetParent === null)")
    assert "pages above14.4x" in tile
    assert page.value("document.querySelector('[data-node=user] .node-state').textContent") == "1 of 2 up"
    assert page.value("document.querySelectorAll('.console-charts canvas').length") == 4
    assert not page.problems


def test_labels_that_mean_harm_stay_text(console: Console, page: chromium.Page) -> None:
    page.open(f"{console.url}/lab/")
    page.until("document.querySelector('.console-pages li[data-status=firing]')")
    assert "<img src=x onerror" in page.value("document.querySelector('.console-pages').textContent")
    assert page.value("document.querySelectorAll('#live-console img').length") == 0
    assert page.value("document.querySelectorAll('#live-console a[href^=javascript]').length") == 0
    assert page.value("typeof window.harmed") == "undefined"


def test_taking_a_page_reaches_the_pager_and_shows_who_has_it(console: Console, page: chromium.Page) -> None:
    page.open(f"{console.url}/lab/")
    page.until("document.querySelector('button[data-page=\"7\"]')")
    page.value("document.querySelector('[data-part=by]').value = 'ada'")
    page.value("document.querySelector('button[data-page=\"7\"]').click()")
    page.until("document.querySelector('.console-pages').textContent.includes('taken by ada')")
    assert console.pager.acked == [(7, "ada")]


def test_a_lab_that_goes_away_is_said_to_be_gone_then_replayed_and_comes_back_by_itself(
    console: Console, page: chromium.Page
) -> None:
    page.open(f"{console.url}/lab/")
    page.until(f"{MODE} === 'live'")
    console.stop()
    page.until(f"{MODE} === 'lost'", 30)
    assert "stopped answering" in page.value("document.querySelector('.console-status').textContent")
    page.until(f"{MODE} === 'replay'", 30)
    assert "stopped answering" in page.value("document.querySelector('.console-status').textContent")
    console.start()
    page.until(f"{MODE} === 'live'", 30)


def test_leaving_the_console_by_the_menu_and_coming_back_is_live_again(console: Console, page: chromium.Page) -> None:
    page.open(f"{console.url}/lab/")
    page.until(f"{MODE} === 'live'")
    page.value("[...document.querySelectorAll('a')].find((one) => one.href.endsWith('/glossary/')).click()")
    page.until("!document.getElementById('live-console') && document.title.startsWith('Glossary')")
    page.value("history.back()")
    page.until(f"document.getElementById('live-console') && {MODE} === 'live'")
    assert not page.problems


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_page_is_wider_than_a_phone_and_none_asks_another_host(
    published: str, site_folder: Path, page: chromium.Page, dark: bool
) -> None:
    page.view(390, 800, dark=dark)
    wide = []
    for file in sorted(site_folder.rglob("index.html")):
        path = file.parent.relative_to(site_folder).as_posix()
        page.open(f"{published}/{'' if path == '.' else path + '/'}")
        page.value(
            "document.querySelectorAll('.lab-run').forEach((run) => { run.style.contentVisibility = 'visible'; })"
        )
        if page.value("document.documentElement.scrollWidth") > 390:
            wide.append(path)
        scheme = page.value("document.body.getAttribute('data-md-color-scheme')")
        assert scheme == ("slate" if dark else "default")
    assert not wide
    assert {url.split("/")[2] for url in page.requests if url.startswith("http")} == {published.split("/")[2]}
    assert not page.problems


def test_a_change_of_scheme_paints_the_charts_anew(published: str, page: chromium.Page) -> None:
    page.open(f"{published}/lab/")
    pixels = "document.querySelector('.console-charts canvas').toDataURL()"
    page.until("document.querySelector('.console-charts canvas')")
    before = page.value(pixels)
    page.value("document.querySelector('[data-md-color-media][data-md-color-scheme=slate], #__palette_1').click()")
    page.until("document.body.dataset.mdColorScheme === 'slate'")
    page.until(f"document.querySelector('.console-charts canvas') && ({pixels}) !== {before!r}")


def test_two_tabs_tell_the_same(console: Console, browser: chromium.Browser, page: chromium.Page) -> None:
    with browser.page() as other:
        for tab in (page, other):
            tab.open(f"{console.url}/lab/")
            tab.until("document.querySelector('button[data-page=\"7\"]')")
        page.value("document.querySelector('[data-part=by]').value = 'ada'")
        page.value("document.querySelector('button[data-page=\"7\"]').click()")
        for tab in (page, other):
            tab.until("document.querySelector('.console-pages').textContent.includes('taken by ada')")
        assert page.value("document.querySelector('[data-part=slos]').innerHTML") == other.value(
            "document.querySelector('[data-part=slos]').innerHTML"
        )


def test_log_lines_that_mean_harm_stay_text(console: Console, page: chromium.Page) -> None:
    console.home.logs.mkdir(parents=True)
    line = {"ts": "2026-01-02T03:04:05.000Z", "event": "request", "trace_id": "ab" * 16, "path": EVIL, "service": EVIL}
    (console.home.logs / "gateway.log").write_text(json.dumps(line) + "\n")
    page.open(f"{console.url}/lab/")
    page.until(f"{MODE} === 'live'")
    page.value("document.querySelector('[data-part=logs-tab]').click()")
    page.until("document.querySelector('[data-part=requests] button')")
    page.value("document.querySelector('[data-part=requests] button').click()")
    page.until("document.querySelector('[data-part=log-lines]').textContent.includes('<img src=x onerror')")
    assert "<img src=x onerror" in page.value("document.querySelector('[data-part=requests]').textContent")
    assert page.value("document.querySelectorAll('#live-console img').length") == 0
    assert page.value("typeof window.harmed") == "undefined"


def test_a_console_whose_prometheus_is_silent_shows_no_old_figures(console: Console, page: chromium.Page) -> None:
    page.open(f"{console.url}/lab/")
    page.until("document.querySelectorAll('.console-tile').length === 6")
    console.prometheus.gone = True
    page.until("document.querySelectorAll('.console-tile').length === 0")
    assert page.value("document.querySelector('[data-node=gateway]').dataset.state") == "unknown"
    assert "does not answer" in page.value("document.querySelector('.console-status').textContent")


def test_the_search_comes_with_the_first_letter_and_not_with_the_page(site_folder: Path, page: chromium.Page) -> None:
    asked: list[str] = []
    with serve(site_folder, asked) as url:
        page.open(f"{url}/03_runbooks/")
        page.value("document.querySelector('.md-search__input').focus()")
        page.until("document.querySelector('.md-search-result__meta').textContent.includes('Type to start searching')")
        assert "/search/search_index.json" in asked
        assert "/search/sections.json" not in asked
        page.call("Input.insertText", text="stampede")
        page.value("document.querySelector('.md-search__input').dispatchEvent(new KeyboardEvent('keyup'))")
        page.until("document.querySelector('.md-search-result__item a[href*=\"03_runbooks/\"]')")
        assert "/search/sections.json" in asked
    assert not page.problems


def test_no_page_weighs_more_than_it_may(published: str, site_folder: Path, browser: chromium.Browser) -> None:
    """First load over the wire, compressed, in kB: 150, and with a record 400."""
    heavy = []
    for file in sorted(site_folder.rglob("index.html")):
        path = file.parent.relative_to(site_folder).as_posix().removeprefix(".")
        with browser.page() as tab:  # a cache of its own
            tab.view(1280, 3000)
            tab.open(f"{published}/{path}{'/' if path else ''}")
            tab.until("document.querySelector('.console') === null || document.querySelector('.console-tile')")
            tab.until("performance.getEntriesByType('resource').some((one) => one.name.includes('/workers/'))")
            entries = "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
            weight = tab.value(f"{entries}.reduce((sum, one) => sum + one.transferSize, 0)") / 1000
        if weight > (400 if path == "lab" else 150):
            heavy.append((path, weight))
    assert not heavy
