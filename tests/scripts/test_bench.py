"""The bench programs: their figures are kept side by side, and what they compare is comparable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.errors import UsageError
from lab.slo import find_slo, load_windows
from scripts import bench_rules, bench_site, sloth_shape
from scripts.figures import SCHEMA, write_section


def test_a_program_replaces_its_own_section_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "figures" / "bench.json"
    write_section(path, "rules", {"ratio": 0.5})
    write_section(path, "generate", {"seconds": 1.0})
    write_section(path, "rules", {"ratio": 0.4})
    found = json.loads(path.read_text())
    assert found["schema"] == SCHEMA
    assert {name: set(section) for name, section in found["sections"].items()} == {
        "rules": {"ratio", "measured_at", "host"},
        "generate": {"seconds", "measured_at", "host"},
    }
    assert found["sections"]["rules"]["ratio"] == 0.4


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "another"}'])
def test_a_file_that_is_no_bench_document_is_left_alone(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"bench.json is (not JSON|no fleetops.bench/v1 document)"):
        write_section(path, "rules", {})
    assert path.read_text() == text


def test_sloths_seventeen_rules() -> None:
    """Eight ratios, seven series of metadata, two alerts."""
    groups = sloth_shape.groups(find_slo("feed-latency-p99"), load_windows("production"))
    assert [len(group["rules"]) for group in groups] == [8, 7, 2]


@pytest.mark.promtool
def test_the_bench_measures_both_rule_sets_and_neither_fails(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A short run: an hour of history, few evaluations. How they compare is the bench's to say, not this test's."""
    bench_rules.main(["--days", "0.05", "--evaluations", "2", "--json", "--record", str(tmp_path / "bench.json")])
    told = json.loads(capsys.readouterr().out)
    assert (told["ours"]["rules"], told["sloth"]["rules"]) == (24, 17)
    assert told["ours"]["second_ms"] > 0
    kept = json.loads((tmp_path / "bench.json").read_text())["sections"]["rules"]
    assert kept["ratio"] == told["ratio"]


@pytest.mark.parametrize(
    ("indices", "kept"),
    [
        ((1600, 1700, 1800), (1600, 1700, 1800)),
        ((1600, 900, 1700, 1200, 1800, 2000), (1600, 1700, 1800)),
        ((900, 1000, 1600, 1100, 800, 1200, 700, 600, 500, 2000), (1100, 1200, 1600)),
    ],
)
def test_a_run_on_a_machine_that_is_slow_just_then_is_repeated(indices: tuple[int, ...], kept: tuple[int, ...]) -> None:
    """By its index and not by its result; nine runs are the most for three."""
    runs = ({"environment": {"benchmarkIndex": index}} for index in indices)
    reports = bench_site._at_speed(lambda: next(runs), 3)
    assert tuple(report["environment"]["benchmarkIndex"] for report in reports) == kept


def test_a_score_short_of_the_whole_names_its_audits_and_what_they_found_first() -> None:
    audits: list[dict[str, Any]] = [
        {"id": "errors-in-console", "score": 0, "title": "Errors", "details": {"items": [{"url": "/x.js"}, {}]}},
        {"id": "doctype", "score": 0.5, "title": "No doctype"},
        {"id": "charset", "score": 1, "title": "Charset"},
        {"id": "not-weighed", "score": 0, "title": "Advice"},
        {"id": "not-applicable", "score": None, "title": "None"},
    ]
    refs = [{"id": audit["id"], "weight": audit["id"] != "not-weighed"} for audit in audits]
    report = {"categories": {"seo": {"auditRefs": refs}}, "audits": {audit["id"]: audit for audit in audits}}
    assert bench_site._failed(report, "seo") == ['errors-in-console: {"url": "/x.js"}', "doctype: No doctype"]
