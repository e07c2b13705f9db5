"""The built HTML: its links resolve, it matches rules and records, and it loads nothing from other hosts."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
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

pytestmark = pytest.mark.batch

HERE = "http://site.test/"


class Parsed(HTMLParser):
    """The links, loaded resources and ids of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {key: value or "" for key, value in attrs}
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        if "src" in attributes:
            self.loads.append(attributes["src"])
        unloaded = {"canonical", "prev", "next", "alternate"}
        if tag == "link" and "href" in attributes and attributes.get("rel") not in unloaded:
            self.loads.append(attributes["href"])


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


def test_every_link_and_fragment_inside_the_site_resolves(site_folder: Path) -> None:
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


def test_ids_are_unique_on_a_page(site_folder: Path) -> None:
    for file in pages(site_folder):
        ids = [ident for ident in parsed(file).ids if not ident.startswith("__")]
        assert len(ids) == len(set(ids)), (file, [ident for ident in ids if ids.count(ident) > 1])


def test_nothing_is_loaded_from_another_host(site_folder: Path) -> None:
    for file in site_folder.rglob("*.html"):
        foreign = [url for url in parsed(file).loads if re.match(r"(https?:)?//", url)]
        assert not foreign, (file, foreign)
    for file in (site_folder / "assets").glob("*.*"):
        if file.suffix in {".css", ".js"}:
            assert not re.search(r"(url\(|import\s*\(?|fetch\()\s*[\"']?(https?:)?//", file.read_text()), file


def test_no_template_is_left_unrendered(site_folder: Path) -> None:
    for file in pages(site_folder):
        # Alert annotations in rule blocks are Prometheus templates; nothing else may look like a template.
        body = re.sub(r"<pre.*?</pre>", "", file.read_text(), flags=re.S)
        assert "{{" not in html.unescape(re.sub(r"<script.*?</script>", "", body, flags=re.S)), file
        assert "Macro Rendering Error" not in body
        assert "{:" not in body, f"{file}: a misplaced attribute list is shown as text"


def test_every_alert_has_its_runbook_section_and_every_section_its_alert(site_folder: Path) -> None:
    ids = set(parsed(site_folder / "03_runbooks" / "index.html").ids)
    files = RuleFiles(RULES)
    named = set()
    for name in files.names():
        annotation = files.alert(name, "lab")[0].rule.annotations["runbook_url"]
        url, fragment = urldefrag(annotation.replace("{{ $externalLabels.site }}/", HERE))
        assert url == f"{HERE}03_runbooks/", f"{name}: {annotation}"
        assert fragment == name.lower()
        assert fragment in ids, f"{name} has no runbook section"
        named.add(fragment)
    headings = re.findall(r'<h2 id="([^"]+)"', (site_folder / "03_runbooks" / "index.html").read_text())
    sections = {
        heading
        for heading in headings
        if re.fullmatch(r"[a-z0-9]+(burn|down|looping|restarted|stable|low|traffic|d)", heading)
    }
    assert sections <= named


def test_the_pages_of_an_incident_link_to_one_another(site_folder: Path) -> None:
    context = SiteContext()
    for record in context.records:
        drill = context.drill(record.ident)
        alert, postmortem = drill.expect.alert, context.postmortem(drill.id)
        if alert is None or postmortem is None:
            continue
        ident, name = drill.id.lower(), alert.lower()
        items = [f"{postmortem}#{item.id.lower()}" for item in action_items() if item.incident == drill.id]
        risks = [f"09_risk_register.md#{risk.id.lower()}" for risk in risk_register() if risk.drill == drill.id]
        entry, rule, runbook = (
            f"02_slos_and_alerts.md#alert-{name}",
            f"03_runbooks.md#rule-{name}",
            f"03_runbooks.md#{name}",
        )
        section = f"05_incident_simulations.md#{ident}"
        # An incident that no control action triggered, such as a killed machine, has no row in the table of changes.
        first = record.first("firing") or record.first("page")
        assert first is not None
        triggered = any(units.parse(row.at) <= units.parse(first.at) for row in record.data.actions)
        change = [f"08_change_management.md#change-{ident}"] if triggered else []
        ends = [*change, *items, *risks]
        pairs = [
            *((entry, end) for end in (rule, runbook)),
            *((runbook, end) for end in (entry, section, postmortem, *ends)),
            *((section, end) for end in (entry, rule, runbook, postmortem, record.path, *ends)),
            *((postmortem, end) for end in (entry, rule, runbook, section, record.path, *ends)),
            *((risk, end) for risk in risks for end in (runbook, section, postmortem)),
            *((row, end) for row in change for end in (postmortem, section)),
        ]
        for start, end in pairs:
            page = page_url(start.partition("#")[0])
            links = {urljoin(HERE + page, href) for href in parsed(site_folder / page / "index.html").links}
            target, _, fragment = end.partition("#")
            wanted = HERE + page_url(target) + (f"#{fragment}" if fragment else "")
            assert wanted in links or any(link.startswith(f"{wanted}#") for link in links if not fragment), (
                f"{start} does not link to {end}"
            )


def test_the_proof_of_a_done_action_item_exists() -> None:
    """The tests and drills that a proof names are in the repository."""
    for item in action_items():
        if item.status != "done":
            continue
        for path in re.findall(r"[\w./-]+/[\w.-]+\.(?:py|yml)", item.proof):
            assert (ROOT / path).is_file(), f"{item.id} is proven by {path}, which does not exist"
        drills = re.findall(r"INC-\d{3}", item.proof)
        assert set(drills) <= {drill.id for drill in catalogue()}, item.id


def test_every_rule_shown_is_exactly_the_rule_in_its_file(site_folder: Path) -> None:
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


# The line that names the page, which is printed under --quiet too.
PAGE = r"site: docs/\S+\.md: "


def outdate(record: Path) -> None:
    """Makes a record stale, as if the drill's file had changed after it was recorded."""
    data = json.loads(record.read_text())
    file = next(name for name in data["inputs"] if name.startswith("lab/drills/"))
    record.write_text(json.dumps(data | {"inputs": data["inputs"] | {file: "sha256:" + "0" * 64}}))


# A page that is built before most others, so that the build soon fails.
FIRST = "00_overview.md"


def link_to_nowhere(docs: Path) -> None:
    """Links are checked when all pages are built, so the others are left with their titles only."""
    for page in docs.rglob("*.md"):
        if "03_runbooks" not in page.name:  # it must include every template
            page.write_text("# A title\n")
    (docs / "glossary.md").write_text("# G\n\n[x](02_slos_and_alerts.md#nowhere)\n")


@pytest.mark.parametrize(
    ("damage", "named"),
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
            lambda docs: (docs / FIRST).write_text("# M\n\n{{ metric('nope_total') }}\n"),
            PAGE + "no metric 'nope_total'",
        ),
        (lambda docs: (docs / FIRST).write_text("# G\n\n{{ objective('nope') }}\n"), PAGE + "no SLO 'nope'"),
        (lambda docs: (docs / FIRST).write_text("# G\n\n{{ no_such_macro() }}\n"), "no_such_macro"),
        (link_to_nowhere, r"'glossary\.md' contains a link '02_slos_and_alerts\.md#nowhere'"),
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
def test_a_page_with_a_broken_source_fails_the_build_by_name(
    docs_copy: Path, tmp_path: Path, damage: Callable[[Path], object], named: str
) -> None:
    damage(docs_copy)
    done = build(docs_copy, tmp_path / "out")
    assert done.returncode != 0
    assert re.search(named, done.stderr + done.stdout), done.stderr
    assert ".md" in done.stderr + done.stdout


def test_the_autopilot_finds_sections_by_the_anchors_of_the_built_page(site_folder: Path) -> None:
    built = (site_folder / "03_runbooks" / "index.html").read_text()
    headings = re.findall(r'<h2 id="([^"]*)"', built)
    assert [section.anchor for section in parser.sections(RUNBOOKS)] == headings
