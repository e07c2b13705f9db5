"""The committed records: valid, whole, and made from what the repository holds now."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import made_record
import pytest

from lab.drills.evidence.provenance import stale
from lab.drills.evidence.record import portable, read, write
from lab.drills.evidence.verify import verify
from lab.drills.schema.record import RECORD_SCHEMA, json_schema, parse
from lab.drills.spec.drill import find
from lab.errors import LabError, UsageError
from lab.paths import DOCS, RECORDS, ROOT
from lab.slo.catalogue import find_slo
from lab.slo.model import TICKET

FILES = sorted(RECORDS.glob("*.json"))


def test_the_published_schema_is_itself_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(RECORD_SCHEMA.read_text()))


def test_the_published_schema_is_that_of_the_types() -> None:
    fix = "write it anew: python -m lab.drills.schema.record"
    assert RECORD_SCHEMA.read_text() == json_schema(), fix


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_reader_with_the_published_schema_alone_takes_a_committed_record(file: Path) -> None:
    jsonschema.validate(json.loads(file.read_text()), json.loads(RECORD_SCHEMA.read_text()))


@pytest.fixture
def document() -> dict[str, Any]:
    return made_record.record()


def pages(ident: str) -> list[str]:
    """The pages that draw from a record."""
    return sorted(file.relative_to(DOCS).as_posix() for file in DOCS.rglob("*.md") if f'"{ident}"' in file.read_text())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_committed_record_proves_itself(file: Path) -> None:
    problems = verify(read(file)).problems
    assert not problems, f"docs/records/{file.name}, of {', '.join(pages(file.stem))}: {'; '.join(problems)}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_committed_record_is_valid_passed_small_and_not_stale(file: Path) -> None:
    record = read(file)
    assert record.drill.id == file.stem
    assert record.verdict.passed, record.verdict.why
    assert file.stat().st_size < 300_000
    changed = stale(record)
    assert not changed, (
        f"{file.name} is stale: {', '.join(changed)} changed since; fleetops drill run {file.stem} --record {file}"
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_drill_lets_the_ticket_of_every_promise_fire_that_it_breaks(file: Path) -> None:
    record = read(file)
    broken = {name for name, spent in record.budget.items() if spent.bad_ratio > 1 - spent.objective_ratio}
    tickets = {find_slo(name).alert_name for name in broken}
    refused = {name for name in tickets if not find(file.stem).expect.allows(name, TICKET)}
    assert not refused, f"{file.stem} spends a budget whose ticket it does not list: {', '.join(sorted(refused))}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_committed_record_does_not_say_where_it_was_made(file: Path) -> None:
    assert not re.findall(r"(?<![\w.])/(?:tmp|home|root|var|Users|opt|mnt|srv)/[^\s\"\\]*", file.read_text())


def test_a_record_names_the_state_directory_and_the_checkout_as_everybody_knows_them(tmp_path: Path) -> None:
    said = {"runbook": [{"output": f"{tmp_path}/data/config/feed/current.json and {ROOT}/rules/slos/feed.yml", "n": 1}]}
    told = {"runbook": [{"output": ".lab/data/config/feed/current.json and rules/slos/feed.yml", "n": 1}]}
    assert portable(said, tmp_path) == told


def test_a_changed_input_makes_the_record_stale_by_name(document: dict[str, Any]) -> None:
    document["inputs"] = dict.fromkeys(document["inputs"], "sha256:" + "0" * 64)
    document["inputs"]["rules/gone.yml"] = "sha256:" + "0" * 64
    assert set(stale(parse(document))) == set(document["inputs"])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda d: d.pop("verdict"), "verdict"),
        (lambda d: d.update(extra=1), "extra"),
        (lambda d: d.update(started_at="yesterday"), "started_at"),
        (lambda d: d["timeline"][0].update(kind="magic"), "timeline/0/kind"),
    ],
)
def test_a_damaged_record_is_refused_by_place(
    document: dict[str, Any], tmp_path: Path, change: Any, named: str
) -> None:
    damaged = copy.deepcopy(document)
    change(damaged)
    (tmp_path / "r.json").write_text(json.dumps(damaged))
    with pytest.raises(LabError, match=named):
        read(tmp_path / "r.json")


def test_a_record_that_cannot_be_written_names_the_file(document: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file"):
        write(parse(document), tmp_path / "file" / "r.json")
