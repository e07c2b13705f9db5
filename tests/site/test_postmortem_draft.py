"""The draft of a postmortem calls only macros that the record can answer, and marks what a person must write."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import jinja2
import pytest
from made_record import record as made_record

from lab.cli.main import run
from lab.clients.documents import as_builtins
from lab.drills.schema.record import parse
from lab.drills.spec.drill import find
from lab.errors import LabError
from lab.paths import DOCS, RECORDS
from lab.site import postmortem_draft
from lab.site.macros import views
from lab.site.sources import postmortem_pages, register_files
from lab.site.sources.context import POSTMORTEMS, SiteContext
from lab.site.sources.records import Record, Records

pytestmark = pytest.mark.batch

INC = find("INC-001")
PARTS = (
    "Summary", "Impact", "Detection", "Trigger", "Root causes and contributing factors", "Timeline", "Resolution",
    "What went well", "What went wrong", "Where we got lucky", "Action items", "Evidence",
    "Where it leads",
)  # fmt: skip


def rendered(text: str, context: SiteContext) -> str:
    """The page with its macros rendered as mkdocs-macros does; an unknown or failing macro is an error."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)  # noqa: S701 - Markdown, no HTML to escape
    environment.globals.update(views(context))
    return environment.from_string(text).render()


@pytest.mark.parametrize("ident", [file.stem for file in sorted(RECORDS.glob("INC-*.json"))])
def test_the_draft_of_every_committed_record_renders(ident: str, tmp_path: Path) -> None:
    page = f"{POSTMORTEMS}/{ident}_draft.md"
    context = SiteContext(docs=tmp_path, page=lambda: page)
    for part in DOCS.iterdir():
        if part.name != POSTMORTEMS:
            (tmp_path / part.name).symlink_to(part)
    text = postmortem_draft.page(context.records.read(ident), find(ident))
    (tmp_path / page).parent.mkdir()
    (tmp_path / page).write_text(text)
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == list(PARTS)
    assert context.records.read(ident).data.verdict.checks[0].detail.split()[-2] in rendered(text, context)


def test_a_draft_without_action_items_has_rows_that_the_register_accepts(
    context: SiteContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register_files, "action_items", list)
    text = postmortem_draft.page(context.records.read("INC-001"), INC)
    assert postmortem_pages.typed_numbers(text) == []
    monkeypatch.undo()
    rows = dedent(text.split("``` yaml\n")[1].split("    ```")[0])
    (tmp_path / "items.yml").write_text(rows)
    items = register_files.action_items(tmp_path / "items.yml")
    assert [(item.id, item.type, item.priority, str(item.due)) for item in items] == [
        ("AI-001-1", "prevent", "P1", "2026-01-16"),
        ("AI-001-2", "detect", "P2", "2026-04-03"),
        ("AI-001-3", "mitigate", "P3", "2026-07-03"),
    ]


def test_every_number_of_the_draft_comes_from_the_record(context: SiteContext) -> None:
    assert postmortem_pages.typed_numbers(postmortem_draft.page(context.records.read("INC-001"), INC)) == []


def without(document: dict[str, Any], *kinds: str) -> Record:
    timeline = [row for row in document["timeline"] if row["kind"] not in kinds]
    return Record("INC-001", "records/INC-001.json", parse({**document, "timeline": timeline}))


def test_the_draft_leaves_out_what_did_not_happen(context: SiteContext) -> None:
    document = {**made_record(), "runbook": []}
    document["durations"] |= {"mttm_seconds": None, "mttr_seconds": None}
    (context.docs / "records" / "INC-001.json").write_text(
        json.dumps(as_builtins(without(document, "action", "recovered").data))
    )
    text = postmortem_draft.page(context.records.read("INC-001"), INC)
    assert "runbook_trace" not in text
    context = replace(context, page=lambda: f"{POSTMORTEMS}/INC-001_draft.md")
    (context.docs / context.page()).write_text(text)
    assert "Alert resolved" in rendered(text, context)
    with pytest.raises(LabError, match="has no page"):
        postmortem_draft.page(without(document, "page"), INC)
    with pytest.raises(LabError, match="control"):
        postmortem_draft.page(Record("D0", "records/D0.json", parse(document)), find("D0"))


def test_only_signals_that_moved_are_charted() -> None:
    document = made_record()
    quiet = {**document["signals"][0], "name": "quiet", "objective": None, "values": [80.0] * 60 + [79.0] * 60}
    risen = {**quiet, "name": "risen", "values": [80.0] * 30 + [200.0] * 90}
    burst = {**quiet, "name": "burst", "objective": 0.01, "values": [0.0] * 30 + [0.5] * 90}
    fallen = {**quiet, "name": "fallen", "objective": 0.9, "values": [0.95] * 30 + [0.3] * 90}
    burn = {**burst, "name": "burn_rate_60s"}
    record = Record("INC-001", "", parse({**document, "signals": [quiet, risen, burst, fallen, burn]}))
    assert postmortem_draft.moved(record) == ["burst", "risen", "fallen"]


def test_no_committed_postmortem_has_an_unwritten_place() -> None:
    for file in (DOCS / POSTMORTEMS).glob("*.md"):
        assert postmortem_draft.unwritten(file.read_text()) == 0, file.name


def test_the_verb_writes_a_page_and_never_overwrites_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / postmortem_draft.name(Records(RECORDS).read("INC-001"))
    assert file.name == "INC-001_feed_latency_regression_from_an_ungated_canary.md"
    assert run(["incident", "postmortem", "INC-001"]) == 0
    text = capsys.readouterr().out
    assert run(["incident", "postmortem", "INC-001", "--output", str(file)]) == 0
    assert file.read_text() == text
    assert f"06_postmortems/{file.name}" in capsys.readouterr().out
    file.write_text("mine")
    assert run(["incident", "postmortem", "INC-001", "--output", str(file)]) == 2
    assert file.read_text() == "mine"
    assert run(["incident", "postmortem", "INC-999"]) == 2
    assert capsys.readouterr().err.count("\n") == 2
