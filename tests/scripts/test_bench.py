"""The benchmark programs store their figures in separate sections and compare like with like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.errors import UsageError
from lab.slo import find_slo, load_windows
from scripts import bench_rules, bench_site, sloth_shape
from scripts.figures import SCHEMA, write_section


def test_a_program_replaces_only_its_own_section(tmp_path: Path) -> None:
    path = tmp_path / "figures" / "bench.json"
    write_section(path, "rules", {"ratio": 0.5})
    write_section(path, "generate", {"seconds": 1.0})
    write_section(path, "rules", {"ratio": 0.4})
    stored = json.loads(path.read_text())
    assert stored["schema"] == SCHEMA
    assert {name: set(section) for name, section in stored["sections"].items()} == {
        "rules": {"ratio", "measured_at", "host"},
        "generate": {"seconds", "measured_at", "host"},
    }
    assert stored["sections"]["rules"]["ratio"] == 0.4


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": "another"}'])
def test_a_file_that_is_not_a_bench_document_is_not_changed(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"bench.json is not (JSON|a fleetops.bench/v1 document)"):
        write_section(path, "rules", {})
    assert path.read_text() == text


def test_sloth_has_seventeen_rules() -> None:
    """Eight ratios, seven metadata series, two alerts."""
    groups = sloth_shape.groups(find_slo("feed-latency-p99"), load_windows("production"))
    assert [len(group["rules"]) for group in groups] == [8, 7, 2]


@pytest.mark.promtool
def test_the_benchmark_measures_both_rule_sets(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A short run with an hour of history and few evaluations, which is too short to compare the two."""
    bench_rules.main(["--days", "0.05", "--evaluations", "2", "--json", "--record", str(tmp_path / "bench.json")])
    printed = json.loads(capsys.readouterr().out)
    assert (printed["ours"]["rules"], printed["sloth"]["rules"]) == (24, 17)
    assert printed["ours"]["second_ms"] > 0
    stored = json.loads((tmp_path / "bench.json").read_text())["sections"]["rules"]
    assert stored["ratio"] == printed["ratio"]


@pytest.mark.parametrize(
    ("indices", "kept"),
    [
        ((1600, 1700, 1800), (1600, 1700, 1800)),
        ((1600, 900, 1700, 1200, 1800, 2000), (1600, 1700, 1800)),
        ((900, 1000, 1600, 1100, 800, 1200, 700, 600, 500, 2000), (1100, 1200, 1600)),
    ],
)
def test_a_run_while_the_machine_is_slow_is_repeated(indices: tuple[int, ...], kept: tuple[int, ...]) -> None:
    """Judged by the benchmark index, not by the result; at most nine runs for three."""
    runs = ({"environment": {"benchmarkIndex": index}} for index in indices)
    reports = bench_site._at_speed(lambda: next(runs), 3)
    assert tuple(report["environment"]["benchmarkIndex"] for report in reports) == kept


def test_an_incomplete_score_names_its_failed_audits_with_their_first_item() -> None:
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
