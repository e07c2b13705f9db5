"""The console of a published copy in a real browser: it replays a recorded incident."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import chromium
import pytest
from published import serve

from lab.clients.times import epoch_seconds, utc_text
from lab.control import audit
from lab.oncall.escalation import TO
from lab.paths import DOCS
from lab.site.build import budgets

pytestmark = pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH")
SHIFTS = (
    "window.shifts = []; new PerformanceObserver((list) => shifts.push(...list.getEntries()))"
    ".observe({ type: 'layout-shift', buffered: true });"
)
MODE = "document.getElementById('live-console').dataset.mode"


def test_a_published_copy_replays_a_labelled_record_and_contacts_no_other_host(
    published: str, page: chromium.Page
) -> None:
    page.open(f"{published}/lab/")
    page.until(f"{MODE} === 'replay'")
    status = page.value("document.querySelector('.console-status').innerText")
    assert "INC-001" in status
    assert ", captured 20" in status
    assert "lab time, 60x" in status
    page.until("document.querySelectorAll('.console-tile').length === 6")
    page.until("document.querySelectorAll('.console-charts canvas').length >= 5")
    assert page.value("getComputedStyle(document.querySelector('figure.lab-chart')).display") == "none"
    hosts = {url.split("/")[2] for url in page.requests if url.startswith("http")}
    assert hosts == {published.removeprefix("http://")}
    assert not page.problems


def test_a_chart_without_its_library_offers_its_data_and_is_drawn_once_the_library_loads(
    site_folder: Path, tmp_path: Path, page: chromium.Page
) -> None:
    served = shutil.copytree(site_folder, tmp_path / "site", copy_function=os.link)
    library = served / "assets" / "vendor" / "uplot.js"
    away = library.rename(tmp_path / "uplot.js")
    with serve(served) as url:
        page.open(f"{url}/lab/")
        page.until("document.querySelector('.console-canvas')?.textContent.includes('could not be loaded')")
        page.value("document.querySelector('.console-charts details').open = true")
        page.until("document.querySelectorAll('.console-charts details tbody tr').length > 20")
        away.rename(library)
        seek(page, 0)
        page.until("document.querySelectorAll('.console-charts canvas').length >= 5")
        assert page.value("document.querySelector('.console-canvas').textContent") == ""


def test_the_text_of_a_node_of_the_system_map_fits_its_box(published: str, page: chromium.Page) -> None:
    page.open(f"{published}/lab/")
    page.until(f"{MODE} === 'replay' && document.querySelectorAll('.console-tile').length === 6")
    page.value("document.querySelector('[data-node=feed-canary] .node-state').textContent = '100 % of users'")
    ends = "[...group.querySelectorAll('text')].map((text) => text.getBBox()).map((box) => box.x + box.width)"
    edge = "((box) => box.x + box.width)(group.querySelector('rect').getBBox())"
    boxes = page.value(
        f"[...document.querySelectorAll('.node')].map((group) => [group.dataset.node, Math.max(...{ends}), {edge}])"
    )
    assert len(boxes) == 7
    assert [name for name, end, box in boxes if end > box - 4] == []


@pytest.mark.parametrize("width", [412, 900, 1280])
def test_the_layout_does_not_shift_while_the_console_fills(published: str, page: chromium.Page, width: int) -> None:
    page.view(width, 823)
    page.call("Page.addScriptToEvaluateOnNewDocument", source=SHIFTS)
    page.open(f"{published}/lab/")
    page.until(f"{MODE} === 'replay' && document.querySelectorAll('.console-tile').length === 6")
    page.until("document.querySelectorAll('[data-part=charts] figure').length >= 5")
    page.value("new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)))")
    bound = next(bound for bound in budgets.PAGE if bound.figure == "cls")
    assert bound.keeps(page.value("shifts.reduce((all, one) => all + one.value, 0)")), page.value(
        "shifts.map((one) => `${one.value.toFixed(4)}: ${one.sources.map((from) => from.node?.className)}`).join('; ')"
    )


def test_the_band_of_a_chart_is_the_page_not_an_earlier_ticket(published: str, page: chromium.Page) -> None:
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
    page.open(f"{published}/lab/")
    for alerts in ([ticket | {"t_seconds": -30}, paged], [ticket]):
        bands = page.value(
            f"import('{published}/assets/console/replay.js').then(({{ Replay }}) => {{"
            f" const replay = new Replay({json.dumps(record | {'alerts': alerts})}, {{}});"
            " return replay.series(replay.charts[0], 20).bands; })"
        )
        assert bands == [[4, 9]]


def test_an_axis_ends_at_a_round_number_and_a_ratio_at_1(published: str, page: chromium.Page) -> None:
    page.open(f"{published}/lab/")
    tops = "[['ratio', 1], ['ratio', 0.97], ['ratio', 0.3], ['ratio', 1.2], ['seconds', 1], ['seconds', 0.39], ['', 0]]"
    ends = page.value(
        f"import('{published}/assets/console/chart.js').then(({{ axisTop }}) => {tops}.map((one) => axisTop(...one)))"
    )
    assert ends == pytest.approx([1, 1, 0.4, 2, 2, 0.5, 1])


def instant(kind: str) -> float:
    """The first event of a kind in the committed record of INC-001, in seconds from the injection."""
    rows = json.loads((DOCS / "records" / "INC-001.json").read_text())["timeline"]
    return float(next(row["t_seconds"] for row in rows if row["kind"] == kind))


def seek(page: chromium.Page, seconds: float) -> None:
    page.value(
        "(() => { const scrub = document.querySelector('[data-part=scrub]');"
        f" scrub.value = {seconds}; scrub.dispatchEvent(new Event('input')); }})()"
    )


def test_the_console_describes_a_change_as_the_pages_do(published: str, page: chromium.Page) -> None:
    records = [json.loads(file.read_text()) for file in sorted((DOCS / "records").glob("*.json"))]
    values = [row[side] for record in records for row in record["actions"] for side in ("old", "new")]
    values += [{}, {"settings": {}}, [1, 2, 3, 4], True, {"a": {"b": None}, "c": [{"d": 0.5}]}]
    page.open(f"{published}/lab/")
    described = page.value(
        f"import('{published}/assets/console/dom.js').then(({{ stated }}) => {json.dumps(values)}.map(stated))"
    )
    assert described == [audit.stated(value) for value in values]


def test_an_escalation_is_replayed_from_its_instant(published: str, page: chromium.Page) -> None:
    record = json.loads((DOCS / "records" / "INC-001.json").read_text())
    zero = epoch_seconds(record["timeline"][0]["at"]) - record["timeline"][0]["t_seconds"]
    record["pages"][0] |= {"escalated_at": utc_text(zero + 60), "escalated_to": TO, "acked_at": None, "acked_by": None}
    page.open(f"{published}/lab/")
    escalated_to = page.value(
        f"import('{published}/assets/console/replay.js').then(({{ Replay }}) => {{"
        f" const replay = new Replay({json.dumps(record)}, {{}});"
        " return [59.9, 60.1].map((now) => replay.picture(now).pages.at(-1).escalated_to); })"
    )
    assert escalated_to == [None, TO]


def test_the_replay_shows_at_each_instant_what_was_known_then(published: str, page: chromium.Page) -> None:
    page.open(f"{published}/lab/?replay=INC-001&t=2")
    page.until(f"{MODE} === 'replay' && document.querySelectorAll('.console-tile').length === 6")
    assert page.value("document.querySelector('[data-part=now]').textContent") == "T+2.0 s"
    assert page.value("document.querySelectorAll('.console-pages li[data-status]').length") == 0
    seek(page, (instant("page") + instant("ack")) / 2)
    page.until("document.querySelector('.console-tile[data-state=page]')")
    assert "unacknowledged" in page.value("document.querySelector('.console-pages').textContent")
    assert page.value("document.querySelector('[data-node=feed]').dataset.state") == "bad"
    assert page.value("document.querySelectorAll('.console-runbook .lab-badge').length") == 0
    seek(page, instant("held") - 0.2)
    page.until("document.querySelector('.console-pages').textContent.includes('acknowledged by autopilot')")
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


def test_the_replay_plays_pauses_and_seeks_by_keyboard(published: str, page: chromium.Page) -> None:
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
        "document.activeElement.textContent === 'Request logs'"
        " && document.querySelector('#console-panel-logs').offsetParent"
    )
    page.value("document.querySelector('[data-part=requests] button').click()")
    assert '"trace_id"' in page.value("document.querySelector('[data-part=log-lines]').textContent")


def test_the_recorded_charts_are_shown_without_javascript(published: str, page: chromium.Page) -> None:
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.call("Page.navigate", url=f"{published}/lab/")
    page.until("document.readyState === 'complete' && document.querySelector('figure.lab-chart')")
    assert page.value("document.querySelectorAll('figure.lab-chart svg polyline').length") > 3
    assert page.value("document.querySelector('figure.lab-chart').offsetHeight") > 200
    assert page.value("document.getElementById('live-console').offsetParent") is None


def test_a_change_of_colour_scheme_redraws_the_charts(published: str, page: chromium.Page) -> None:
    page.open(f"{published}/lab/")
    pixels = "document.querySelector('.console-charts canvas').toDataURL()"
    page.until("document.querySelector('.console-charts canvas')")
    before = page.value(pixels)
    page.value("document.querySelector('.lab-scheme').click()")
    page.until("document.body.dataset.mdColorScheme === 'slate'")
    page.until(f"document.querySelector('.console-charts canvas') && ({pixels}) !== {before!r}")
