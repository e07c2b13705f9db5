"""Guess the cause in a real browser: a recording without its name, a diagnosis, and its score by the drills' rule."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import chromium
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from published import serve

from lab.clients.documents import as_builtins
from lab.drills.grading import scorecard
from lab.drills.grading.scorecard import Diagnosis
from lab.drills.schema.record import parse
from lab.drills.spec.drill import COMPONENTS, catalogue, find
from lab.paths import DOCS
from lab.site.build import budgets, guess
from lab.site.sources.records import Record

pytestmark = pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH")
INCIDENTS = [drill for drill in catalogue() if drill.trigger != "control"]
SHIFTS = (
    "window.shifts = []; new PerformanceObserver((list) => shifts.push(...list.getEntries()))"
    ".observe({ type: 'layout-shift', buffered: true });"
)
# The scores and points of many diagnoses of one answer by the page's own module.
SCORED = """([module, rule, answer, diagnoses]) => import(module).then(({ score, points }) =>
  diagnoses.map((diagnosis) => score(rule, diagnosis, answer)).map((value) => [value, points(rule, value)]))"""


def recording(ident: str) -> guess.Recording:
    """The recording of an incident, from its committed record."""
    path = f"records/{ident}.json"
    return guess.recording(Record(ident, path, parse(json.loads((DOCS / path).read_text()))))


def play(page: Page, published: str, ident: str = "INC-001") -> Locator:
    """Open the recording of an incident; the game, once it is filled."""
    chromium.visit(page, f"{published}/guess/#{guess.opaque(ident)}")
    game = page.locator("#guess")
    expect(game.locator(".console-tile")).to_have_count(6)
    return game


def seek(page: Page, seconds: float) -> None:
    page.locator("[data-part=scrub]").evaluate(
        "(scrub, seconds) => { scrub.value = seconds; scrub.dispatchEvent(new Event('input')); }", seconds
    )


def lock(game: Locator, components: list[str], trigger: str) -> Locator:
    """Lock in a diagnosis; its result."""
    for name in components:
        game.locator(f'input[name=component][value="{name}"]').check()
    game.locator(f'input[name=trigger][value="{trigger}"]').check()
    game.get_by_role("button", name="Lock in diagnosis").click()
    result = game.locator("[data-part=result]")
    expect(result.locator("h3")).to_be_visible()
    return result


def test_every_diagnosis_scores_as_a_drill_scores_it(published: str, page: Page) -> None:
    """Sets of one to three components and of all, with the right and a wrong trigger class, for each broken one."""
    names = [name for name in COMPONENTS if name != "none"]
    sets = [chosen for size in (1, 2, 3, len(names)) for chosen in itertools.combinations(names, size)]
    grid = [Diagnosis(chosen, trigger) for chosen in sets for trigger in ("network", "time")]
    rule, module = as_builtins(guess.rule()), f"{published}/assets/console/diagnosis.js"
    sent = [{"components": diagnosis.components, "trigger": diagnosis.trigger} for diagnosis in grid]
    page.goto(module)
    for broken in names:
        answer = {"component": broken, "trigger": "network"}
        scores = [scorecard.diagnosis_score(diagnosis, broken, "network") for diagnosis in grid]
        expected = [[score, scorecard.diagnosis_points(score)] for score in scores]
        assert page.evaluate(SCORED, [module, rule, answer, sent]) == expected, broken


def test_every_incident_is_played_without_its_name_and_scored(published: str, page: Page, problems: list[str]) -> None:
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    recordings = {guess.opaque(drill.id): drill for drill in INCIDENTS}
    game = play(page, published)
    assert game.locator("[data-part=recording] option").evaluate_all("(all) => all.map((one) => one.value)") == sorted(
        recordings
    )
    assert len(recordings) == len(INCIDENTS)
    # Every fourth here; the others differ in their data, whose tests are those of the build.
    for name, drill in itertools.islice(recordings.items(), 0, None, 4):
        requested.clear()
        game.locator("[data-part=recording]").select_option(name)
        expect(game.locator("[data-part=badge]")).to_have_text(re.compile("page|ticket"))
        expect(page.locator("[data-part=now]")).to_have_text("T+0.0 s")
        expect(game.locator(".console-pages > li[data-status]").first).to_be_visible()
        seek(page, 1000)
        expect(game.locator("[data-part=triage] code").first).to_be_attached()
        assert not re.search(rf"INC-\d|{re.escape(drill.title)}", game.inner_text())
        assert not [url for url in requested if "answer" in url or "replays" in url or "/records/" in url]
        result = lock(game, [drill.component], drill.trigger)
        expect(result).to_contain_text(f"{drill.id}: {drill.title}")
        expect(result.locator(".lab-badge")).to_have_text("30 of 30 points")
        expect(result.locator("tr", has_text="Diagnosis").first).to_contain_text("runbook branch")
    expect(game.locator("[data-part=result]")).to_contain_text(
        f"{(len(INCIDENTS) + 3) // 4} of {len(INCIDENTS)} recordings"
    )
    assert {urlsplit(url).netloc for url in requested} == {published.removeprefix("http://")}
    assert not problems


def test_it_is_played_by_keyboard(published: str, page: Page) -> None:
    game, drill = play(page, published), find("INC-001")
    press = page.keyboard.press
    game.locator("[data-part=diagnose]").focus()
    press("Enter")
    expect(game.locator("[data-part=heading]")).to_be_focused()
    game.locator("#guess-tab-signals").focus()
    for panel in ("triage", "logs", "audit"):
        press("ArrowRight")
        expect(game.locator(f"#guess-panel-{panel}")).to_be_visible()
    game.locator("input[name=component]").first.focus()
    while page.evaluate("document.activeElement.value") != drill.component:
        press("Tab")
    press("Space")
    while page.evaluate("document.activeElement.name") != "trigger":
        press("Tab")
    press("Space")
    while page.evaluate("document.activeElement.value") != drill.trigger:
        press("ArrowDown")
    press("Tab")
    press("Enter")
    expect(game.locator("[data-part=result]")).to_be_focused()
    expect(game.locator("[data-part=result]")).to_contain_text("30 of 30 points")


def test_each_second_shows_what_was_known_then(published: str, page: Page) -> None:
    game = play(page, published)
    pages, triage = game.locator(".console-pages > li[data-status]"), game.locator("[data-part=triage] code")
    delivered = next(page for page in recording("INC-001").pages if page.alertname == "FeedLatencyP99Burn")
    expect(pages.first).to_contain_text(delivered.alertname)
    expect(pages.first).to_contain_text(delivered.description)
    expect(pages.first).to_contain_text("unacknowledged")
    expect(triage).to_have_count(0)
    changes = game.locator("[data-part=audit] tr", has_text="canary weight")
    expect(changes).to_have_count(2)
    seek(page, -40)
    expect(pages).to_have_count(0)
    expect(changes).to_have_count(0)
    seek(page, 1000)
    expect(pages.first).to_contain_text("acknowledged by autopilot")
    expect(triage).to_have_text(["fleetops triage feed --is canary"])
    expect(changes).to_have_count(2)


def test_a_partial_diagnosis_says_what_cost_points_and_only_the_first_counts(published: str, page: Page) -> None:
    game = play(page, published)
    game.get_by_role("button", name="Lock in diagnosis").click()
    expect(game.locator("[data-part=form-said]")).to_contain_text("Choose a component")
    result = lock(game, ["feed", "gateway"], "config push")
    expect(result.locator(".lab-badge")).to_have_text("3.8 of 30 points")
    for words in ("gateway is adjacent to the broken component, feed-canary: 50 %", "divided by 2", "not config push"):
        expect(result).to_contain_text(words)
    expect(game.get_by_role("button", name="Lock in diagnosis")).to_be_disabled()
    page.reload()
    expect(game.locator("[data-part=badge]")).to_have_text("page")
    expect(lock(game, ["feed-canary"], "binary push")).to_contain_text("3.8 of 30 points, 1 of")


def test_a_diagnosis_without_points_is_told_the_whole_answer(published: str, page: Page) -> None:
    result = lock(play(page, published), ["monitoring"], "time")
    expect(result.locator(".lab-badge")).to_have_text("0 of 30 points")
    expect(result).to_contain_text("The broken component was feed-canary")
    expect(result).to_contain_text("The trigger class was binary push.")


def test_a_link_opens_its_recording(published: str, page: Page, problems: list[str]) -> None:
    game = play(page, published)
    select = game.locator("[data-part=recording]")
    expect(select).to_have_value(guess.opaque("INC-001"))
    game.locator("[data-part=next]").click()
    expect(select).not_to_have_value(guess.opaque("INC-001"))
    following = select.input_value()
    page.mouse.wheel(0, 2000)
    page.reload()
    expect(select).to_have_value(following)
    page.evaluate("(id) => { location.hash = id; }", guess.opaque("INC-009"))
    expect(select).to_have_value(guess.opaque("INC-009"))
    expect(game.locator(".console-pages")).to_contain_text(recording("INC-009").prediction["alert"])
    chromium.visit(page, f"{published}/guess/#nothing")
    page.reload()
    expect(select).to_have_value(min(guess.opaque(drill.id) for drill in INCIDENTS))
    assert not problems


def test_it_says_so_when_a_recording_or_an_answer_cannot_be_read(site_folder: Path, tmp_path: Path, page: Page) -> None:
    served = shutil.copytree(site_folder, tmp_path / "site", copy_function=os.link)
    name = guess.opaque("INC-001")
    with serve(served) as url:
        game = play(page, url)
        (served / guess.FOLDER / f"{name}.answer.json").rename(tmp_path / "answer.json")
        game.locator("input[value=feed]").check()
        game.locator('input[value="binary push"]').check()
        game.get_by_role("button", name="Lock in diagnosis").click()
        expect(game.locator("[data-part=form-said]")).to_contain_text("cannot be read")
        expect(game.get_by_role("button", name="Lock in diagnosis")).to_be_enabled()
        other = guess.opaque("INC-002")
        (served / guess.FOLDER / f"{other}.json").rename(tmp_path / "recording.json")
        game.locator("[data-part=recording]").select_option(other)
        expect(game.locator("[data-part=badge]")).to_have_text("failed")
        expect(game.locator("[data-part=said]")).to_contain_text("cannot be read")


def test_without_javascript_it_says_what_it_needs(published: str, browser: Browser) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{published}/guess/")
        expect(page.locator("noscript p")).to_contain_text("need JavaScript")
        expect(page.locator("#guess")).to_be_hidden()


@pytest.mark.parametrize("width", [412, 1280])
def test_the_layout_does_not_shift_while_a_recording_is_loaded(published: str, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 823})
    page.add_init_script(SHIFTS)
    play(page, published)
    expect(page.locator("[data-part=charts] figure").nth(4)).to_be_attached()
    page.evaluate("new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)))")
    bound = next(bound for bound in budgets.PAGE if bound.figure == "cls")
    assert bound.keeps(page.evaluate("shifts.reduce((all, one) => all + one.value, 0)"))


def test_every_tab_and_the_result_are_accessible_and_fit_a_phone(published: str, page: Page, axe: str) -> None:
    logged = [drill for drill in INCIDENTS if any(line["service"] == "gateway" for line in recording(drill.id).logs)]
    game = play(page, published, logged[0].id)
    page.evaluate(axe + "; undefined")
    seek(page, 1000)
    lock(game, ["cache", "feed"], "capacity")
    found: list[tuple[str, str]] = []
    colours = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
    for scheme, rules in (("light", {}), ("dark", colours)):
        for tab in game.get_by_role("tab").all():
            tab.click()
            if tab.inner_text().startswith("Requests"):
                game.get_by_role("button", name=re.compile("^Show trace and log lines")).first.click()
                expect(game.locator("[data-part=log-lines]")).to_contain_text("trace_id")
            broken = page.evaluate(
                "(rules) => axe.run('#guess', rules).then(({ violations }) => violations.map((one) => one.id))", rules
            )
            found += [(f"{scheme}, {tab.inner_text()}", rule) for rule in broken]
            page.set_viewport_size({"width": 390, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab.inner_text()
            page.set_viewport_size({"width": 1280, "height": 3000})
        page.locator(".lab-scheme").click()
    assert found == []
