"""The committed records: valid, consistent, and up to date with their inputs."""

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

pytestmark = pytest.mark.batch

FILES = sorted(RECORDS.glob("*.json"))
# `jsonschema.validate` would check the schema again for each record.
PUBLISHED = jsonschema.Draft202012Validator(json.loads(RECORD_SCHEMA.read_text()))


def test_the_published_schema_is_itself_valid() -> None:
    PUBLISHED.check_schema(PUBLISHED.schema)


def test_the_published_schema_is_generated_from_the_types() -> None:
    fix = "regenerate it: python -m lab.drills.schema.record"
    assert RECORD_SCHEMA.read_text() == json_schema(), fix


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_committed_record_is_valid_by_the_published_schema(file: Path) -> None:
    PUBLISHED.validate(json.loads(file.read_text()))


@pytest.fixture
def document() -> dict[str, Any]:
    return made_record.record()


def pages(ident: str) -> list[str]:
    """The pages that use a record."""
    return sorted(file.relative_to(DOCS).as_posix() for file in DOCS.rglob("*.md") if f'"{ident}"' in file.read_text())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_committed_record_is_verified_by_its_own_counts(file: Path) -> None:
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
def test_a_drill_allows_the_ticket_of_every_slo_that_it_misses(file: Path) -> None:
    record = read(file)
    missed = {name for name, spent in record.budget.items() if spent.bad_ratio > 1 - spent.objective_ratio}
    tickets = {find_slo(name).alert_name for name in missed}
    refused = {name for name in tickets if not find(file.stem).expect.allows(name, TICKET)}
    assert not refused, f"{file.stem} spends a budget whose ticket it does not list: {', '.join(sorted(refused))}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_committed_record_holds_no_absolute_path(file: Path) -> None:
    assert not re.findall(r"(?<![\w.])/(?:tmp|home|root|var|Users|opt|mnt|srv)/[^\s\"\\]*", file.read_text())


def test_absolute_paths_of_the_lab_and_the_checkout_become_relative(tmp_path: Path) -> None:
    local = {"runbook": [{"output": f"{tmp_path}/data/feed/current.json and {ROOT}/rules/slos/feed.yml", "n": 1}]}
    relative = {"runbook": [{"output": ".lab/data/feed/current.json and rules/slos/feed.yml", "n": 1}]}
    assert portable(local, tmp_path) == relative


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
def test_a_damaged_record_is_refused_with_the_key(
    document: dict[str, Any], tmp_path: Path, change: Any, named: str
) -> None:
    damaged = copy.deepcopy(document)
    change(damaged)
    (tmp_path / "r.json").write_text(json.dumps(damaged))
    with pytest.raises(LabError, match=named):
        read(tmp_path / "r.json")


def test_a_failed_write_of_a_record_names_the_file(document: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file"):
        write(parse(document), tmp_path / "file" / "r.json")
