"""The built HTML: it tells what the system is, leads where it says, and fetches nothing from elsewhere."""

from __future__ import annotations

import html
import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
from mkdocs_build import build

from lab import units
from lab.drills.runbook import parser
from lab.drills.spec.drill import catalogue
from lab.paths import ROOT, RULES, RUNBOOKS
from lab.site.render.links import page_url
from lab.site.sources.context import SiteContext
from lab.site.sources.register_files import action_items
from lab.site.sources.register_files import risks as risk_register
from lab.site.sources.rule_files import RuleFiles

HERE = "http://site.test/"


class Parsed(HTMLParser):
    """What a page links, loads and can be linked to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if "src" in given:
            self.loads.append(given["src"])
        if tag == "link" and "href" in given and given.get("rel") not in {"canonical", "prev", "next", "alternate"}:
            self.loads.append(given["href"])


@cache
def parsed(file: Path) -> Parsed:
    page = Parsed()
    page.feed(file.read_text())
    return page


def pages(site: Path) -> list[Path]:
    return sorted(file for file in site.rglob("*.html") if file.name != "404.html")


def address(site: Path, file: Path) -> str:
    return HERE + file.relative_to(site).as_posix().removesuffix("index.html")


def file_of(site: Path, url: str) -> Path:
    path = unquote(urlsplit(url).path).lstrip("/")
    return site / path / "index.html" if not path or path.endswith("/") else site / path


def test_every_link_and_fragment_inside_the_site_leads_somewhere(site_folder: Path) -> None:
    broken = []
    for file in pages(site_folder):
        for href in parsed(file).links + parsed(file).loads:
            url, fragment = urldefrag(urljoin(address(site_folder, file), href))
            if not url.startswith(HERE):
                continue
            target = file_of(site_folder, url)
            if not target.exists() or (fragment and target.suffix == ".html" and fragment not in parsed(target).ids):
                broken.append(f"{file.relative_to(site_folder)}: {href}")
    assert not broken


def test_no_id_stands_twice_on_a_page(site_folder: Path) -> None:
    for file in pages(site_folder):
        ids = [one for one in parsed(file).ids if not one.startswith("__")]
        assert len(ids) == len(set(ids)), (file, [one for one in ids if ids.count(one) > 1])


def test_nothing_is_loaded_from_another_host(site_folder: Path) -> None:
    for file in site_folder.rglob("*.html"):
        foreign = [one for one in parsed(file).loads if re.match(r"(https?:)?//", one)]
        assert not foreign, (file, foreign)
    for file in (site_folder / "assets").glob("*.*"):
        if file.suffix in {".css", ".js"}:
            assert not re.search(r"(url\(|import\s*\(?|fetch\()\s*[\"']?(https?:)?//", file.read_text()), file


def test_no_template_is_left_over(site_folder: Path) -> None:
    for file in pages(site_folder):
        # Alert annotations are templates of Prometheus and stand in rule blocks; nothing else may look like one.
        body = re.sub(r"<pre.*?</pre>", "", file.read_text(), flags=re.S)
        assert "{{" not in html.unescape(re.sub(r"<script.*?</script>", "", body, flags=re.S)), file
        assert "Macro Rendering Error" not in body
        assert "{:" not in body, f"{file}: an attribute list in the wrong place is shown as text"


def test_every_alert_has_its_runbook_section_and_every_section_its_alert(site_folder: Path) -> None:
    ids = set(parsed(site_folder / "03_runbooks" / "index.html").ids)
    files = RuleFiles(RULES)
    named = set()
    for name in files.names():
        annotation = files.alert(name, "lab")[0].data["annotations"]["runbook_url"]
        url, fragment = urldefrag(annotation.replace("{{ $externalLabels.site }}/", HERE))
        assert url == f"{HERE}03_runbooks/", f"{name}: {annotation}"
        assert fragment == name.lower()
        assert fragment in ids, f"{name} has no runbook section"
        named.add(fragment)
    headings = re.findall(r'<h2 id="([^"]+)"', (site_folder / "03_runbooks" / "index.html").read_text())
    sections = {
        one for one in headings if re.fullmatch(r"[a-z0-9]+(burn|down|looping|restarted|stable|low|traffic|d)", one)
    }
    assert sections <= named


def test_the_loop_of_an_incident_can_be_walked_both_ways(site_folder: Path) -> None:
    context = SiteContext()
    for record in context.records:
        drill = next(one for one in catalogue() if one.id == record.ident)
        alert, post = drill.expect.alert, context.postmortem(drill.id)
        if alert is None or post is None:
            continue
        ident, name = drill.id.lower(), alert.lower()
        items = [f"{post}#{item.id.lower()}" for item in action_items() if item.incident == drill.id]
        risks = [f"09_risk_register.md#{one.id.lower()}" for one in risk_register() if one.drill == drill.id]
        listed, rule, parser = (
            f"02_slos_and_alerts.md#alert-{name}",
            f"03_runbooks.md#rule-{name}",
            f"03_runbooks.md#{name}",
        )
        drilled = f"05_incident_simulations.md#{ident}"
        # What no change set off, a machine that died or a command past the verbs, has no row among the changes.
        told = units.parse((record.first("firing") or record.first("page") or {})["at"])
        early = any(units.parse(row["at"]) <= told for row in record["actions"])
        change = [f"08_change_management.md#change-{ident}"] if early else []
        pairs = [
            *((listed, one) for one in (rule, parser)),
            *((parser, one) for one in (listed, drilled, post, *change, *items, *risks)),
            *((drilled, one) for one in (listed, rule, parser, post, record.path, *change, *items, *risks)),
            *((post, one) for one in (listed, rule, parser, drilled, record.path, *change, *items, *risks)),
            *((risk, one) for risk in risks for one in (parser, drilled, post)),
            *((one, end) for one in change for end in (post, drilled)),
        ]  # fmt: skip
        for start, end in pairs:
            page = page_url(start.partition("#")[0])
            links = {urljoin(HERE + page, href) for href in parsed(site_folder / page / "index.html").links}
            target, _, fragment = end.partition("#")
            wanted = HERE + page_url(target) + (f"#{fragment}" if fragment else "")
            assert wanted in links or any(link.startswith(f"{wanted}#") for link in links if not fragment), (
                f"{start} does not lead to {end}"
            )


def test_a_done_action_item_is_proven_by_something_that_is_there() -> None:
    """By a test that it names, or by a drill, an alert or a flag."""
    for item in action_items():
        if item.status != "done":
            continue
        for path in re.findall(r"[\w./-]+/[\w.-]+\.(?:py|yml)", item.proof):
            assert (ROOT / path).is_file(), f"{item.id} is proven by {path}, which is not there"
        drills = re.findall(r"INC-\d{3}", item.proof)
        assert set(drills) <= {drill.id for drill in catalogue()}, item.id


def test_every_rule_shown_is_the_rule_file_to_the_character(site_folder: Path) -> None:
    shown = 0
    for file in pages(site_folder):
        for place, block in re.findall(r'data-rule="([^"]+)">(.*?)</div></div>', file.read_text(), re.S):
            path, _, line = place.rpartition(":")
            text = html.unescape(re.sub(r"<[^>]+>", "", block))
            source = (RULES.parent / path).read_text().splitlines()[int(line) - 1 :]
            for written, drawn in zip(source, text.splitlines(), strict=False):
                assert written.strip() == drawn.strip(), f"{file}: {place}"
            shown += 1
    assert shown > 20


def test_every_page_has_a_title_a_description_and_one_heading(site_folder: Path) -> None:
    for file in pages(site_folder):
        content = file.read_text()
        assert len(re.findall(r"<h1[ >]", content)) == 1, file
        assert re.search(r'<meta name="description" content="[^"]{20,}"', content), file


def test_evidence_is_published_beside_the_pages(site_folder: Path) -> None:
    assert json.loads((site_folder / "records" / "INC-001.json").read_text())["drill"]["id"] == "INC-001"


def test_every_time_of_the_lab_is_labelled_with_its_factor(site_folder: Path) -> None:
    factor = SiteContext().factor
    page = (site_folder / "06_postmortems" / "INC-001_feed_latency_regression" / "index.html").read_text()
    for figure in re.findall(r"<figure.*?</figure>", page, re.S):
        assert f"Lab time, {factor}x." in figure


# The page that cannot be built, in the one line that is told under --quiet too.
PAGE = r"site: docs/\S+\.md: "


def outdate(record: Path) -> None:
    """As if the drill's file had been changed after the record was made."""
    data = json.loads(record.read_text())
    file = next(name for name in data["inputs"] if name.startswith("lab/drills/"))
    record.write_text(json.dumps(data | {"inputs": data["inputs"] | {file: "sha256:" + "0" * 64}}))


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (
            lambda docs: (docs / "records" / "INC-001.json").unlink(),
            PAGE + r"record docs/records/INC-001\.json does not exist",
        ),
        (
            lambda docs: (docs / "records" / "INC-001.json").write_text("{"),
            PAGE + r"\S*docs/records/INC-001\.json is damaged",
        ),
        (
            lambda docs: outdate(docs / "records" / "INC-001.json"),
            PAGE + r"record docs/records/INC-001\.json is stale: lab/drills",
        ),
        (
            lambda docs: (docs / "10_operational_metrics.md").write_text("# M\n\n{{ metric('nope_total') }}\n"),
            PAGE + "no metric 'nope_total'",
        ),
        (lambda docs: (docs / "glossary.md").write_text("# G\n\n{{ objective('nope') }}\n"), PAGE + "no SLO 'nope'"),
        (lambda docs: (docs / "glossary.md").write_text("# G\n\n{{ no_such_macro() }}\n"), "no_such_macro"),
        (lambda docs: (docs / "glossary.md").write_text("# G\n\n[x](02_slos_and_alerts.md#nowhere)\n"), "nowhere"),
    ],
    ids=[
        "missing record",
        "damaged record",
        "stale record",
        "unknown metric",
        "unknown SLO",
        "unknown macro",
        "unknown anchor",
    ],
)
def test_a_page_that_cannot_be_true_fails_the_build_by_name(docs_copy: Path, tmp_path: Path, broken, named) -> None:  # type: ignore[no-untyped-def]
    broken(docs_copy)
    done = build(docs_copy, tmp_path / "out")
    assert done.returncode != 0
    assert re.search(named, done.stderr + done.stdout), done.stderr
    assert ".md" in done.stderr + done.stdout


def test_the_anchors_by_which_the_autopilot_finds_sections_are_those_of_the_built_page(site_folder: Path) -> None:
    built = (site_folder / "03_runbooks" / "index.html").read_text()
    headings = re.findall(r'<h2 id="([^"]*)"', built)
    assert [section.anchor for section in parser.sections(RUNBOOKS)] == headings
