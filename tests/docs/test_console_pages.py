"""The console of a lab in a real browser: live, the same in every tab, and safe from hostile labels."""

from __future__ import annotations

import json

import chromium
import pytest
from made_up_console import MODE, Console
from sources import EVIL

from lab.paths import Ports

pytestmark = pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH")


@pytest.fixture
def page(page: chromium.Page, console: Console) -> chromium.Page:
    """A tab whose browser has the console's key."""
    console.give_key(page)
    return page


def test_a_rule_links_to_the_prometheus_of_the_lab_that_serves_the_page(
    published: str, console: Console, page: chromium.Page
) -> None:
    """Also for a lab with another port base; a published copy keeps the default ports."""
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


def test_the_console_of_a_lab_is_live_and_hides_the_recording(console: Console, page: chromium.Page) -> None:
    page.open(f"{console.url}/lab/")
    page.until(f"{MODE} === 'live'")
    page.until("document.querySelectorAll('.console-tile').length === 6")
    tile = page.value("document.querySelector('.console-tile[data-state=page]').textContent")
    assert "70.00 %" in tile
    assert page.value("[...document.querySelectorAll('figure.lab-chart')].every((one) => one.offsetParent === null)")
    assert "pages above14.4x" in tile
    assert page.value("document.querySelector('[data-node=user] .node-state').textContent") == "1 of 2 up"
    page.until("document.querySelectorAll('.console-charts canvas').length === 4")
    assert not page.problems


def test_without_its_key_the_console_replays_a_record_and_explains_how_to_get_the_key(
    console: Console, browser: chromium.Browser
) -> None:
    status = "document.querySelector('.console-status').textContent"
    with browser.page() as stranger:
        stranger.view(1280, 3000)
        stranger.open(f"{console.url}/lab/")
        stranger.until(f"{MODE} === 'replay'")
        assert "opens with a key: 'fleetops status' prints its URL" in stranger.value(status)
        assert stranger.value("document.querySelector('[data-part=actions]').hidden")
        assert stranger.value(
            "[...document.querySelectorAll('[data-part=source] option')].every((one) => one.value !== 'live')"
        )
        assert not stranger.problems
        console.give_key(stranger)
        stranger.open(f"{console.url}/lab/")
        stranger.until(f"{MODE} === 'live'")


def test_a_key_stays_out_of_the_url_the_history_and_the_referrer(console: Console, browser: chromium.Browser) -> None:
    with browser.page() as opened:
        console.give_key(opened)
        opened.open(f"{console.url}/lab/")
        entries = opened.call("Page.getNavigationHistory")["entries"]
        assert not [entry["url"] for entry in entries if "key=" in entry["url"]]
        assert opened.value("document.cookie + document.referrer") == ""


def test_a_console_whose_token_was_replaced_refuses_the_page_and_says_so(console: Console, page: chromium.Page) -> None:
    status = "document.querySelector('.console-status').textContent"
    page.open(f"{console.url}/lab/")
    page.until(f"{MODE} === 'live'")
    console.home.token.write_text("another-token-of-the-made-up-lab")
    console.stop()
    console.start()
    page.until(f"{status}.includes('refuses this page')", 30)


def test_hostile_labels_are_shown_as_text(console: Console, page: chromium.Page) -> None:
    page.open(f"{console.url}/lab/")
    page.until("document.querySelector('.console-pages li[data-status=firing]')")
    assert "<img src=x onerror" in page.value("document.querySelector('.console-pages').textContent")
    assert page.value("document.querySelectorAll('#live-console img').length") == 0
    assert page.value("document.querySelectorAll('#live-console a[href^=javascript]').length") == 0
    assert page.value("typeof window.harmed") == "undefined"


def test_acknowledging_a_page_reaches_the_pager_and_shows_by_whom(console: Console, page: chromium.Page) -> None:
    page.open(f"{console.url}/lab/")
    page.until("document.querySelector('button[data-page=\"7\"]')")
    page.value("document.querySelector('[data-part=by]').value = 'ada'")
    page.value("document.querySelector('button[data-page=\"7\"]').click()")
    page.until("document.querySelector('.console-pages').textContent.includes('acknowledged by ada')")
    assert console.pager.acked == [(7, "ada")]


def test_an_escalated_page_is_marked_until_acknowledged_and_stays_in_the_timeline(
    console: Console, page: chromium.Page
) -> None:
    status = (
        "document.querySelector('.console-pages .lab-badge--{}:last-of-type')?.textContent.startsWith('escalated to')"
    )
    page.open(f"{console.url}/lab/")
    page.until(status.format("bad"))
    assert "at 03:09:05" in page.value("document.querySelector('.console-pages').textContent")
    assert "Page 7 escalated" in page.value("document.querySelector('.console-timeline').textContent")
    page.value("document.querySelector('[data-part=by]').value = 'grace'")
    page.value("document.querySelector('button[data-page=\"7\"]').click()")
    page.until(status.format("warn"))
    assert "Page 7 escalated" in page.value("document.querySelector('.console-timeline').textContent")


def test_a_lost_lab_is_reported_then_replayed_and_reconnects_by_itself(console: Console, page: chromium.Page) -> None:
    page.open(f"{console.url}/lab/")
    page.until(f"{MODE} === 'live'")
    console.stop()
    page.until(f"{MODE} === 'lost'", 30)
    assert "stopped answering" in page.value("document.querySelector('.console-status').textContent")
    page.until(f"{MODE} === 'replay'", 30)
    assert "stopped answering" in page.value("document.querySelector('.console-status').textContent")
    console.start()
    page.until(f"{MODE} === 'live'", 30)


def test_the_console_is_live_again_after_leaving_by_the_menu_and_coming_back(
    console: Console, page: chromium.Page
) -> None:
    page.open(f"{console.url}/lab/")
    page.until(f"{MODE} === 'live'")
    page.value("[...document.querySelectorAll('a')].find((one) => one.href.endsWith('/glossary/')).click()")
    page.until("!document.getElementById('live-console') && document.title.startsWith('Glossary')")
    page.value("history.back()")
    page.until(f"document.getElementById('live-console') && {MODE} === 'live'")
    assert not page.problems


def test_two_tabs_show_the_same(console: Console, browser: chromium.Browser, page: chromium.Page) -> None:
    with browser.page() as other:
        console.give_key(other)
        for tab in (page, other):
            tab.open(f"{console.url}/lab/")
            tab.until("document.querySelector('button[data-page=\"7\"]')")
        page.value("document.querySelector('[data-part=by]').value = 'ada'")
        page.value("document.querySelector('button[data-page=\"7\"]').click()")
        for tab in (page, other):
            tab.until("document.querySelector('.console-pages').textContent.includes('acknowledged by ada')")
        assert page.value("document.querySelector('[data-part=slos]').innerHTML") == other.value(
            "document.querySelector('[data-part=slos]').innerHTML"
        )


def test_hostile_log_lines_are_shown_as_text(console: Console, page: chromium.Page) -> None:
    console.home.logs.mkdir()
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


def test_a_silent_pager_does_not_look_like_one_without_pages(console: Console, page: chromium.Page) -> None:
    status = "document.querySelector('.console-status').textContent"
    page.open(f"{console.url}/lab/")
    page.until("document.querySelector('.console-pages li[data-status=firing]')")
    console.pager.gone = True
    page.until(f"{status}.includes('1 open') && {status}.includes('when the pager last answered, at')")
    assert page.value("document.querySelectorAll('.console-pages li[data-status=firing]').length") == 1
    console.stop()
    console.start()  # a console that has never had an answer from the pager
    page.open(f"{console.url}/lab/")
    page.until(f"{status}.includes('no open page known: the pager has not answered')")
    assert "No page." not in page.value("document.querySelector('.console-pages').textContent")
    console.pager.gone = False
    page.until(f"{status}.includes('1 open') && !{status}.includes('answered')")


def test_a_console_without_prometheus_shows_no_old_figures(console: Console, page: chromium.Page) -> None:
    page.open(f"{console.url}/lab/")
    page.until("document.querySelectorAll('.console-tile').length === 6")
    console.prometheus.gone = True
    page.until("document.querySelectorAll('.console-tile').length === 0")
    assert page.value("document.querySelector('[data-node=gateway]').dataset.state") == "unknown"
    assert "does not answer" in page.value("document.querySelector('.console-status').textContent")
