"""The console of a published copy in a real browser: it replays a recorded incident."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import chromium
import pytest
from made_trace import slow
from made_up_console import expect_mode
from playwright.sync_api import Browser, Page, expect
from published import serve

from lab.clients.times import epoch_seconds, utc_text
from lab.control import audit
from lab.oncall.escalation import TO
from lab.paths import DOCS
from lab.site.build import budgets
from lab.tracing.drawing import waterfall

pytestmark = pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH")
SHIFTS = (
    "window.shifts = []; new PerformanceObserver((list) => shifts.push(...list.getEntries()))"
    ".observe({ type: 'layout-shift', buffered: true });"
)


def test_a_published_copy_replays_a_labelled_record_and_contacts_no_other_host(
    published: str, page: Page, problems: list[str]
) -> None:
    hosts = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    chromium.visit(page, f"{published}/lab/")
    expect_mode(page, "replay")
    for words in ("INC-001", ", captured 20", "lab time, 60x"):
        expect(page.locator(".console-status")).to_contain_text(words)
    expect(page.locator(".console-tile")).to_have_count(6)
    expect(page.locator(".console-charts canvas").nth(4)).to_be_visible()
    expect(page.locator("figure.lab-chart").first).to_have_css("display", "none")
    assert hosts == {published.removeprefix("http://")}
    assert not problems


def test_a_chart_without_its_library_offers_its_data_and_is_drawn_once_the_library_loads(
    site_folder: Path, tmp_path: Path, page: Page
) -> None:
    served = shutil.copytree(site_folder, tmp_path / "site", copy_function=os.link)
    library = served / "assets" / "vendor" / "uplot.js"
    away = library.rename(tmp_path / "uplot.js")
    with serve(served) as url:
        chromium.visit(page, f"{url}/lab/")
        canvas, data = page.locator(".console-canvas").first, page.locator(".console-charts details").first
        expect(canvas).to_contain_text("could not be loaded")
        data.locator("summary").click()
        expect(data.locator("tbody tr").nth(20)).to_be_attached()
        away.rename(library)
        seek(page, 0)
        expect(page.locator(".console-charts canvas").nth(4)).to_be_attached()
        expect(canvas).to_have_text("")


def test_the_text_of_a_node_of_the_system_map_fits_its_box(published: str, page: Page) -> None:
    chromium.visit(page, f"{published}/lab/")
    expect_mode(page, "replay")
    expect(page.locator(".console-tile")).to_have_count(6)
    page.locator("[data-node=feed-canary] .node-state").evaluate("(text) => { text.textContent = '100 % of users'; }")
    ends = "[...group.querySelectorAll('text')].map((text) => text.getBBox()).map((box) => box.x + box.width)"
    edge = "((box) => box.x + box.width)(group.querySelector('rect').getBBox())"
    boxes = page.locator(".node").evaluate_all(
        f"(groups) => groups.map((group) => [group.dataset.node, Math.max(...{ends}), {edge}])"
    )
    assert len(boxes) == 7
    assert [name for name, end, box in boxes if end > box - 4] == []


@pytest.mark.parametrize("width", [412, 900, 1280])
def test_the_layout_does_not_shift_while_the_console_fills(published: str, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 823})
    page.add_init_script(SHIFTS)
    chromium.visit(page, f"{published}/lab/")
    expect_mode(page, "replay")
    expect(page.locator(".console-tile")).to_have_count(6)
    expect(page.locator("[data-part=charts] figure").nth(4)).to_be_attached()
    page.evaluate("new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)))")
    bound = next(bound for bound in budgets.PAGE if bound.figure == "cls")
    assert bound.keeps(page.evaluate("shifts.reduce((all, one) => all + one.value, 0)")), page.evaluate(
        "shifts.map((one) => `${one.value.toFixed(4)}: ${one.sources.map((from) => from.node?.className)}`).join('; ')"
    )


def test_the_band_of_a_chart_is_the_page_not_an_earlier_ticket(published: str, page: Page) -> None:
    paged = {"name": "A", "severity": "page", "t_seconds": 4, "ends_at": "2026-01-02T00:00:09Z"}
    ticket = paged | {"severity": "ticket"}
    signal = {
        "name": "a_bad_ratio", "title": "a", "query": 'sloth_id="a"', "unit": "ratio", "objective": 0.1,
        "values": [0] * 40, "start_seconds": -30, "step_seconds": 1,
    }  # fmt: skip
    record = {
        "t0": "2026-01-02T00:00:00Z",
        "timeline": [{"at": "2026-01-02T00:00:00Z", "t_seconds": 0, "kind": "inject"}],
        "signals": [signal],
        "prediction": {"alert": "A"},
    }
    open_modules(page, published)
    for alerts in ([ticket | {"t_seconds": -30}, paged], [ticket]):
        bands = page.evaluate(
            f"import('{published}/assets/console/replay.js').then(({{ Replay }}) => {{"
            f" const replay = new Replay({json.dumps(record | {'alerts': alerts})}, {{}});"
            " return replay.series(replay.charts[0], 20).bands; })"
        )
        assert bands == [[4, 9]]


def test_an_axis_ends_at_a_round_number_and_a_ratio_at_1(published: str, page: Page) -> None:
    open_modules(page, published)
    tops = "[['ratio', 1], ['ratio', 0.97], ['ratio', 0.3], ['ratio', 1.2], ['seconds', 1], ['seconds', 0.39], ['', 0]]"
    ends = page.evaluate(
        f"import('{published}/assets/console/chart.js').then(({{ axisTop }}) => {tops}.map((one) => axisTop(...one)))"
    )
    assert ends == pytest.approx([1, 1, 0.4, 2, 2, 0.5, 1])


def open_modules(page: Page, published: str) -> None:
    """Open one of the console's modules as text: a page that may import all of them, and has nothing else."""
    page.goto(f"{published}/assets/console/replay.js")


def instant(kind: str) -> float:
    """The first event of a kind in the committed record of INC-001, in seconds from the injection."""
    rows = json.loads((DOCS / "records" / "INC-001.json").read_text())["timeline"]
    return float(next(row["t_seconds"] for row in rows if row["kind"] == kind))


def seek(page: Page, seconds: float) -> None:
    page.locator("[data-part=scrub]").evaluate(
        "(scrub, seconds) => { scrub.value = seconds; scrub.dispatchEvent(new Event('input')); }", seconds
    )


def test_the_console_describes_a_change_as_the_pages_do(published: str, page: Page) -> None:
    records = [json.loads(file.read_text()) for file in sorted((DOCS / "records").glob("*.json"))]
    values = [row[side] for record in records for row in record["actions"] for side in ("old", "new")]
    values += [{}, {"settings": {}}, [1, 2, 3, 4], True, {"a": {"b": None}, "c": [{"d": 0.5}]}]
    open_modules(page, published)
    described = page.evaluate(
        f"import('{published}/assets/console/dom.js').then(({{ stated }}) => {json.dumps(values)}.map(stated))"
    )
    assert described == [audit.stated(value) for value in values]


def test_an_escalation_is_replayed_from_its_instant(published: str, page: Page) -> None:
    record = json.loads((DOCS / "records" / "INC-001.json").read_text())
    zero = epoch_seconds(record["timeline"][0]["at"]) - record["timeline"][0]["t_seconds"]
    record["pages"][0] |= {"escalated_at": utc_text(zero + 60), "escalated_to": TO, "acked_at": None, "acked_by": None}
    open_modules(page, published)
    escalated_to = page.evaluate(
        f"import('{published}/assets/console/replay.js').then(({{ Replay }}) => {{"
        f" const replay = new Replay({json.dumps(record)}, {{}});"
        " return [59.9, 60.1].map((now) => replay.picture(now).pages.at(-1).escalated_to); })"
    )
    assert escalated_to == [None, TO]


def test_the_replay_shows_at_each_instant_what_was_known_then(published: str, page: Page) -> None:
    chromium.visit(page, f"{published}/lab/?replay=INC-001&t=2")
    expect_mode(page, "replay")
    expect(page.locator(".console-tile")).to_have_count(6)
    expect(page.locator("[data-part=now]")).to_have_text("T+2.0 s")
    assert page.locator(".console-pages li[data-status]").count() == 0
    seek(page, (instant("page") + instant("ack")) / 2)
    expect(page.locator(".console-tile[data-state=page]")).not_to_have_count(0)
    expect(page.locator(".console-pages")).to_contain_text("unacknowledged")
    expect(page.locator("[data-node=feed]")).to_have_attribute("data-state", "bad")
    assert page.locator(".console-runbook .lab-badge").count() == 0
    seek(page, instant("held") - 0.2)
    expect(page.locator(".console-pages")).to_contain_text("acknowledged by autopilot")
    expect(page.locator(".console-runbook")).to_contain_text("applies")
    assert page.locator(".console-tile[data-state=page]").count() == 0
    seek(page, 1000)
    expect(page.locator("[data-part=score] .lab-badge--ok")).not_to_have_count(0)


def test_the_replay_ends_with_the_error_budget_that_the_record_states(published: str, page: Page) -> None:
    """And begins with a full one; in between it falls with the recorded bad events."""
    open_modules(page, published)
    for file in sorted((DOCS / "records").glob("INC-*.json")):
        record = json.loads(file.read_text())
        left = page.evaluate(
            f"import('{published}/assets/console/replay.js').then(({{ Replay }}) => {{"
            f" const replay = new Replay({json.dumps(record)}, {{}});"
            " return [0, 20, 1e6].map((now) => Object.keys(replay.record.counts).map((id) => replay.left(id, now))); })"
        )
        ended = [1 - record["budget"][slo]["budget_spent_ratio"] for slo in record["counts"]]
        assert left[0] == [1.0] * len(ended), file.name
        assert left[2] == pytest.approx(ended), file.name
        assert all(full >= later >= end - 1e-9 for full, later, end in zip(*left, strict=True)), file.name


def test_every_committed_record_can_be_chosen_and_played_to_its_end(
    published: str, page: Page, problems: list[str]
) -> None:
    chromium.visit(page, f"{published}/lab/")
    expect_mode(page, "replay")
    source, score = page.locator("[data-part=source]"), page.locator("[data-part=score]")
    idents = source.locator("option").evaluate_all("(options) => options.map((one) => one.value)")
    assert set(idents) == {file.stem for file in (DOCS / "records").glob("*.json")}
    for ident in idents:
        source.select_option(ident)
        expect(page.locator(".console-status")).to_contain_text(f"recorded incident {ident}")
        for seconds in (-1000, 0, 20, 100000):
            seek(page, seconds)
        expect(score.locator(".lab-badge")).not_to_have_count(0)
        expect(score).to_contain_text(f" {ident} ")
        expect(page.locator(".console-charts canvas")).not_to_have_count(0)
    assert not problems


def test_the_replay_plays_pauses_and_seeks_by_keyboard(published: str, page: Page) -> None:
    chromium.visit(page, f"{published}/lab/?replay=INC-001&t=0")
    expect_mode(page, "replay")
    play = page.locator("[data-part=play]")
    page.locator("[data-part=speed]").select_option("16")
    play.press("Enter")
    page.wait_for_function("Number(document.querySelector('[data-part=scrub]').value) > 3")
    page.keyboard.press("Enter")
    expect(play).to_have_text("Play")
    fired = f"T+{instant('firing'):.1f} s"
    page.locator(".console-when").filter(has_text=fired).first.press("Enter")
    expect(page.locator("[data-part=now]")).to_have_text(fired)
    focused = page.locator(":focus")
    expect(focused).to_have_text(fired)
    page.locator("[role=tab]").first.press("ArrowRight")
    expect(focused).to_have_text("Change policy and rollout")
    expect(page.locator("[data-part=gates]")).to_have_text("Only the live lab shows this.")
    focused.press("ArrowRight")
    expect(focused).to_have_text("Requests and traces")
    expect(page.locator("#console-panel-logs")).to_be_visible()
    page.locator("[data-part=requests] button").first.click()
    expect(page.locator("[data-part=log-lines]")).to_contain_text('"trace_id"')


def test_a_request_of_a_record_shows_its_recorded_trace(site_folder: Path, tmp_path: Path, page: Page) -> None:
    served = shutil.copytree(site_folder, tmp_path / "site", copy_function=os.link)
    record = json.loads((served / "records" / "INC-001.json").read_text())
    ident = next(line["trace_id"] for line in record["logs"] if line["service"] == "gateway")
    replays = served / "assets" / "data" / "replays.json"
    known = json.loads(replays.read_text())
    next(one for one in known if one["id"] == "INC-001")["traces"] = "records/traces.json"
    replays.unlink()  # it is linked to the site's own
    replays.write_text(json.dumps(known))
    (served / "records" / "traces.json").write_text(json.dumps({ident: waterfall(slow(ident), label="A trace")}))
    with serve(served) as url:
        chromium.visit(page, f"{url}/lab/?replay=INC-001&t=0")
        expect_mode(page, "replay")
        page.locator("[data-part=logs-tab]").click()
        page.get_by_label(f"Trace and log lines of {ident}").click()
        expect(page.locator("[data-part=waterfall] caption")).to_contain_text("520 ms, 52 spans, kept as slow")
        expect(page.locator("[data-part=log-lines]")).to_contain_text(ident)


def test_the_recorded_charts_are_shown_without_javascript(published: str, browser: Browser) -> None:
    with browser.new_page(java_script_enabled=False) as page:
        page.goto(f"{published}/lab/")
        chart = page.locator("figure.lab-chart").first
        assert page.locator("figure.lab-chart svg polyline").count() > 3
        box = chart.bounding_box()
        assert box is not None
        assert box["height"] > 200
        expect(page.locator("#live-console")).to_be_hidden()


def test_a_change_of_colour_scheme_redraws_the_charts(published: str, page: Page) -> None:
    chromium.visit(page, f"{published}/lab/")
    pixels = "document.querySelector('.console-charts canvas').toDataURL()"
    expect(page.locator(".console-charts canvas")).not_to_have_count(0)
    before = page.evaluate(pixels)
    page.locator(".lab-scheme").click()
    expect(page.locator("body")).to_have_attribute("data-md-color-scheme", "slate")
    page.wait_for_function(f"document.querySelector('.console-charts canvas') && ({pixels}) !== {before!r}")
