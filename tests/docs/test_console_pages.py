"""The console of a lab in a real browser: live, the same in every tab, and safe from hostile labels."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import chromium
import pytest
from made_trace import call, served, slow
from made_up_console import Console, expect_mode
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sources import EVIL

from lab.paths import Ports
from lab.telemetry.span_routes import Process
from lab.tracing import store
from lab.tracing.documents import Trace

pytestmark = pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH")
ESCALATED = re.compile("^escalated to")


@pytest.fixture
def page(page: Page, console: Console) -> Page:
    """A tab whose browser has the console's key."""
    console.give_key(page)
    return page


def test_a_rule_links_to_the_prometheus_of_the_lab_that_serves_the_page(
    published: str, console: Console, page: Page, problems: list[str]
) -> None:
    """Also for a lab with another port base; a published copy keeps the default ports."""
    links = page.locator(".lab-open a")
    ports = "(links) => [...new Set(links.map((link) => new URL(link.href).port))]"
    lab, default = str(Ports(console.port).prometheus), str(Ports(8000).prometheus)
    chromium.visit(page, f"{console.url}/02_slos_and_alerts/")
    expect(links.first).to_have_attribute("href", re.compile(rf":{lab}/graph\?g0\.expr="))
    assert links.evaluate_all(ports) == [lab]
    with page.expect_response("**/api/source.json"):
        chromium.visit(page, f"{published}/02_slos_and_alerts/")
    assert links.evaluate_all(ports) == [default]
    assert not problems


def test_the_console_of_a_lab_is_live_and_hides_the_recording(
    console: Console, page: Page, problems: list[str]
) -> None:
    chromium.visit(page, f"{console.url}/lab/")
    expect_mode(page, "live")
    expect(page.locator(".console-tile")).to_have_count(7)
    expect(page.locator(".console-tile").last).to_contain_text(re.compile("load against capacity.*80/s.*32 %.*250/s"))
    tile = page.locator(".console-tile[data-state=page]")
    expect(tile).to_contain_text("70.00 %")
    expect(tile).to_contain_text("pages above14.4x")
    expect(page.locator("figure.lab-chart:visible")).to_have_count(0)
    expect(page.locator("[data-node=user] .node-state")).to_have_text("1 of 2 up")
    expect(page.locator(".console-charts canvas")).to_have_count(4)
    assert not problems


def test_without_its_key_the_console_replays_a_record_and_explains_how_to_get_the_key(
    console: Console, context: BrowserContext, problems: list[str]
) -> None:
    stranger = context.new_page()
    chromium.visit(stranger, f"{console.url}/lab/")
    expect_mode(stranger, "replay")
    expect(stranger.locator(".console-status")).to_contain_text("opens with a key: 'fleetops status' prints its URL")
    expect(stranger.locator("[data-part=actions]")).to_be_hidden()
    assert stranger.locator("[data-part=source] option[value=live]").count() == 0
    assert not problems
    console.give_key(stranger)
    chromium.visit(stranger, f"{console.url}/lab/")
    expect_mode(stranger, "live")


def test_a_key_stays_out_of_the_url_the_history_and_the_referrer(console: Console, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(console.url_with_key)
    page.wait_for_url(f"{console.url}/")
    chromium.visit(page, f"{console.url}/lab/")
    expect_mode(page, "live")
    entries = page.context.new_cdp_session(page).send("Page.getNavigationHistory")["entries"]
    assert f"{console.url}/" in [entry["url"] for entry in entries]
    assert not [entry["url"] for entry in entries if "key=" in entry["url"]]
    assert page.evaluate("document.cookie + document.referrer") == ""


def test_a_console_whose_token_was_replaced_refuses_the_page_and_says_so(console: Console, page: Page) -> None:
    chromium.visit(page, f"{console.url}/lab/")
    expect_mode(page, "live")
    console.home.token.write_text("another-token-of-the-made-up-lab")
    console.stop()
    console.start()
    expect(page.locator(".console-status")).to_contain_text("refuses this page", timeout=30_000)


def test_hostile_labels_are_shown_as_text(console: Console, page: Page) -> None:
    chromium.visit(page, f"{console.url}/lab/")
    expect(page.locator(".console-pages li[data-status=firing]")).not_to_have_count(0)
    expect(page.locator(".console-pages")).to_contain_text("<img src=x onerror")
    assert page.locator("#live-console img").count() == 0
    assert page.locator("#live-console a[href^=javascript]").count() == 0
    assert page.evaluate("typeof window.harmed") == "undefined"


def test_acknowledging_a_page_reaches_the_pager_and_shows_by_whom(console: Console, page: Page) -> None:
    chromium.visit(page, f"{console.url}/lab/")
    page.locator("[data-part=by]").fill("ada")
    page.locator('button[data-page="7"]').click()
    expect(page.locator(".console-pages")).to_contain_text("acknowledged by ada")
    assert console.pager.acked == [(7, "ada")]


def test_an_escalated_page_is_marked_until_acknowledged_and_stays_in_the_timeline(console: Console, page: Page) -> None:
    chromium.visit(page, f"{console.url}/lab/")
    expect(page.locator(".console-pages .lab-badge--bad:last-of-type").first).to_have_text(ESCALATED)
    expect(page.locator(".console-pages")).to_contain_text("at 03:09:05")
    expect(page.locator(".console-timeline")).to_contain_text("Page 7 escalated")
    page.locator("[data-part=by]").fill("grace")
    page.locator('button[data-page="7"]').click()
    expect(page.locator(".console-pages .lab-badge--warn:last-of-type").first).to_have_text(ESCALATED)
    expect(page.locator(".console-timeline")).to_contain_text("Page 7 escalated")


def test_a_lost_lab_is_reported_then_replayed_and_reconnects_by_itself(console: Console, page: Page) -> None:
    chromium.visit(page, f"{console.url}/lab/")
    expect_mode(page, "live")
    console.stop()
    expect_mode(page, "lost", 30_000)
    expect(page.locator(".console-status")).to_contain_text("stopped answering")
    expect_mode(page, "replay", 30_000)
    expect(page.locator(".console-status")).to_contain_text("stopped answering")
    console.start()
    expect_mode(page, "live", 30_000)


def test_the_console_is_live_again_after_leaving_by_the_menu_and_coming_back(
    console: Console, page: Page, problems: list[str]
) -> None:
    chromium.visit(page, f"{console.url}/lab/")
    expect_mode(page, "live")
    page.locator("a[href$='/glossary/']").first.click()
    expect(page).to_have_title(re.compile("^Glossary"))
    expect(page.locator("#live-console")).to_have_count(0)
    page.go_back()
    expect_mode(page, "live")
    assert not problems


def test_two_tabs_show_the_same(console: Console, browser: Browser, page: Page) -> None:
    with browser.new_page() as other:
        console.give_key(other)
        for tab in (page, other):
            chromium.visit(tab, f"{console.url}/lab/")
            expect(tab.locator('button[data-page="7"]')).to_be_visible()
        page.locator("[data-part=by]").fill("ada")
        page.locator('button[data-page="7"]').click()
        for tab in (page, other):
            expect(tab.locator(".console-pages")).to_contain_text("acknowledged by ada")
        assert page.locator("[data-part=slos]").inner_html() == other.locator("[data-part=slos]").inner_html()


def show_request(console: Console, page: Page, trace_id: str, path: str = "/v1/feed/7", **fields: str) -> None:
    """Let the gateway's log have the line of a request, and show the request on the live console."""
    console.home.logs.mkdir()
    line = {"ts": "2026-01-02T03:04:05.000Z", "event": "request", "trace_id": trace_id, "path": path, **fields}
    (console.home.logs / "gateway.log").write_text(json.dumps(line) + "\n")
    chromium.visit(page, f"{console.url}/lab/")
    expect_mode(page, "live")
    page.locator("[data-part=logs-tab]").click()
    page.locator("[data-part=requests] button").first.click()


def test_hostile_log_lines_are_shown_as_text(console: Console, page: Page) -> None:
    show_request(console, page, "ab" * 16, path=EVIL, service=EVIL)
    expect(page.locator("[data-part=log-lines]")).to_contain_text("<img src=x onerror")
    expect(page.locator("[data-part=requests]")).to_contain_text("<img src=x onerror")
    assert page.locator("#live-console img").count() == 0
    assert page.evaluate("typeof window.harmed") == "undefined"


def test_a_request_opens_its_trace_as_a_waterfall(console: Console, page: Page, axe: str, tmp_path: Path) -> None:
    store.Writer(store.path(console.home)).add([slow()])
    show_request(console, page, "b" * 32)
    waterfall = page.locator("[data-part=waterfall]")
    expect(waterfall.locator("caption")).to_have_text(
        "GET /v1/feed/{user_id}: status 200, 520 ms, 52 spans, kept as slow"
    )
    statements = waterfall.locator("tr", has_text="48 x 10 ms, one after another")
    expect(statements.locator("rect")).to_have_class("lab-trace__critical")
    folder = Path(os.environ.get("FLEETOPS_PICTURES", tmp_path))
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            waterfall.screenshot(path=folder / f"waterfall-{width}-{scheme}.png")
            page.locator(".lab-scheme").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(axe + "; undefined")
    broken = page.evaluate("axe.run('[data-part=waterfall]').then((one) => one.violations.map((two) => two.id))")
    assert broken == []


def test_a_dot_on_a_latency_chart_opens_its_trace_by_mouse_and_by_keyboard(console: Console, page: Page) -> None:
    store.Writer(store.path(console.home)).add([slow()])
    chromium.visit(page, f"{console.url}/lab/")
    expect_mode(page, "live")
    chart = page.locator('figure[data-chart="feed-latency-p99"]')
    expect(chart.locator("canvas")).to_be_visible()
    expect(chart.locator(".lab-key")).to_contain_text("click on it to open its trace")
    caption = page.locator("[data-part=waterfall] caption")
    box = chart.locator(".u-over").bounding_box()
    assert box is not None
    # The dot is near the middle of five minutes, at 0.52 s of an axis that ends at 0.8.
    for right in range(-14, 15):
        page.mouse.click(box["x"] + box["width"] / 2 + right, box["y"] + box["height"] * (1 - 0.52 / 0.8))
        if page.locator("#console-panel-logs").is_visible():
            break
    expect(caption).to_contain_text("520 ms, 52 spans, kept as slow")
    page.locator("[data-part=trace]").fill("a" * 32)
    page.locator("[data-part=trace]").press("Enter")
    expect(caption).to_have_count(0)
    chart.locator("summary").press("Enter")
    chart.get_by_label(re.compile("^Trace of the request of 520 ms")).press("Enter")
    expect(caption).to_contain_text("520 ms, 52 spans, kept as slow")
    assert page.locator("[data-part=trace]").input_value() == "b" * 32


def test_a_trace_that_is_not_kept_is_said_beside_its_log_lines(console: Console, page: Page) -> None:
    show_request(console, page, "c" * 32)
    expect(page.locator("[data-part=log-lines]")).to_contain_text("/v1/feed/7")
    expect(page.locator("[data-part=waterfall]")).to_contain_text("this lab keeps no traces")


def test_hostile_spans_are_shown_as_text(console: Console, page: Page) -> None:
    spans = [served(20, 503), call(EVIL, 10, EVIL)]
    store.Writer(store.path(console.home)).add([Trace("d" * 32, "failed", [Process(EVIL, EVIL, EVIL, spans)])])
    show_request(console, page, "d" * 32)
    expect(page.locator("[data-part=waterfall]")).to_contain_text("<img src=x onerror")
    assert page.locator("#live-console img").count() == 0
    assert page.evaluate("typeof window.harmed") == "undefined"


def test_a_silent_pager_does_not_look_like_one_without_pages(console: Console, page: Page) -> None:
    status = page.locator(".console-status")
    chromium.visit(page, f"{console.url}/lab/")
    expect(page.locator(".console-pages li[data-status=firing]")).not_to_have_count(0)
    console.pager.gone = True
    expect(status).to_contain_text(re.compile("1 open.*when the pager last answered, at"))
    assert page.locator(".console-pages li[data-status=firing]").count() == 1
    console.stop()
    console.start()  # a console that has never had an answer from the pager
    chromium.visit(page, f"{console.url}/lab/")
    expect(status).to_contain_text("no open page known: the pager has not answered")
    assert "No page." not in page.locator(".console-pages").inner_text()
    console.pager.gone = False
    expect(status).to_have_text(re.compile("^(?!.*answered).*1 open"))


def test_a_console_without_prometheus_shows_no_old_figures(console: Console, page: Page) -> None:
    chromium.visit(page, f"{console.url}/lab/")
    expect(page.locator(".console-tile")).to_have_count(7)
    console.prometheus.gone = True
    expect(page.locator(".console-tile")).to_have_count(0)
    expect(page.locator("[data-node=gateway]")).to_have_attribute("data-state", "unknown")
    expect(page.locator(".console-status")).to_contain_text("does not answer")
