"""`fleetops slo generate` refuses an invalid file in one line with file, line and key, and writes nothing."""

# ruff: noqa: E501 - a table of cases is easiest to read with one case per line
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from shop_spec import BAD, GOOD, QUERIES, TOTAL, WINDOWS

from lab.cli.slo import slo as command
from lab.errors import SpecError


@pytest.mark.promtool
@pytest.mark.parametrize(
    ("old", "query", "place"),
    [
        (TOTAL, "sum(rate(http_requests_total[{{.window}}])", "9: slos[0].sli.events.total_query"),
        (TOTAL, "sum by rate(x[{{.window}}])", "9: slos[0].sli.events.total_query"),
        (BAD, "sum(rate(http_requests_total{[{{.window}}]))", "8: slos[0].sli.events.error_query"),
        (QUERIES, "      raw: {error_ratio_query: 'a[{{.window}}] / '}\n", "7: slos[0].sli.raw.error_ratio_query"),
    ],
)
def test_a_query_that_is_not_promql_is_refused_and_nothing_is_written(
    old: str, query: str, place: str, tmp_path: Path
) -> None:
    path, out = tmp_path / "spec.yml", tmp_path / "out.yml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, query))
    out.write_text("old content")
    result = CliRunner().invoke(command, ["generate", "--spec", str(path), "--out", str(out)])
    assert isinstance(result.exception, SpecError)
    assert f"{path}:{place}: is not PromQL" in str(result.exception)
    assert result.exception.exit_status == 2
    assert out.read_text() == "old content"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.yml", "spec.yml"]


@pytest.mark.promtool
@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            "annotations: {summary: '{{ $labls.service }}'}",
            "spec.yml:12: slos[0].alerting.annotations.summary: summary",
        ),
        (
            "page_alert: {labels: {team: '{{ nofunction }}'}}",
            "spec.yml:12: slos[0].alerting.page_alert.labels.team: team",
        ),
        (
            "ticket_alert: {annotations: {d: '{{ $value'}}",
            "spec.yml:12: slos[0].alerting.ticket_alert.annotations.d: d",
        ),
    ],
)
def test_a_template_that_prometheus_would_not_load_is_refused(more: str, expected: str, tmp_path: Path) -> None:
    path, out = tmp_path / "spec.yml", tmp_path / "out.yml"
    path.write_text(f"{GOOD}      {more}\n")
    result = CliRunner().invoke(command, ["generate", "--spec", str(path), "--out", str(out)])
    assert isinstance(result.exception, SpecError)
    assert f"{expected} is not a valid Prometheus template: " in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not out.exists()


@pytest.mark.promtool
def test_an_output_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "spec.yml").write_text(GOOD)
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file" / "out.yml", tmp_path):
        result = CliRunner().invoke(command, ["generate", "--spec", str(tmp_path / "spec.yml"), "--out", str(out)])
        assert isinstance(result.exception, SpecError)
        assert str(result.exception).startswith(f"{out}: cannot be written: ")


# By case: the invalid file, the edit that makes it invalid, and the line and key that the error must name.
INVALID_FILES = {
    "objective 100": ("spec", ("99.9", "100"), 5, "slos[0].objective"),
    "objective 0": ("spec", ("99.9", "0"), 5, "slos[0].objective"),
    "unreachable tier": ("spec", ("99.9", "90"), 5, "slos[0].objective"),
    "unknown key": ("spec", ("    objective: 99.9", "    objective: 99.9\n    target: 1"), 6, "slos[0].target"),
    "duplicate name": ("spec", ("service: shop\nslos:\n", "service: shop\nslos:\n  - {name: checkout, objective: 99.9, sli: {raw: {error_ratio_query: 'x[{{.window}}]'}}, alerting: {name: C}}\n"), 5, "slos[1].name"),
    "invalid PromQL": ("spec", ("total[{{.window}}]))", "total[{{.window}}])"), 9, "slos[0].sli.events.total_query"),
    "wrong template variable": ("spec", ("total[{{.window}}]", "total[{{.windows}}]"), 9, "slos[0].sli.events.total_query"),
    "spec not YAML": ("spec", ("objective: 99.9", "objective: [99.9"), 5, "objective"),
    "spec without any key": ("spec", (GOOD, "just words"), 1, "version"),
    "spec with a NUL": ("spec", (GOOD, "# one\n\0"), 2, "version"),
    "empty spec": ("spec", (GOOD, ""), 1, "version"),
    "spec of comments": ("spec", (GOOD, "# later\n---\n"), 1, "version"),
    "short as long as long": ("windows", ("shortWindow: 5m", "shortWindow: 1h"), 15, "spec.page.quick.shortWindow"),
    "window shorter than four scrapes": ("windows", ("shortWindow: 5m", "shortWindow: 59s"), 15, "spec.page.quick.shortWindow"),
    "windows with an unknown key": ("windows", ("  sloPeriod: 30d", "  sloPeriod: 30d\n  page_alert: 1"), 12, "spec.page_alert"),
    "windows with a duplicate key": ("windows", ("  sloPeriod: 30d", "  sloPeriod: 30d\n  sloPeriod: 28d"), 11, "spec.sloPeriod"),
    "windows not YAML": ("windows", ("sloPeriod: 30d", "sloPeriod: '30d"), 11, "sloPeriod"),
    "windows without any key": ("windows", (WINDOWS, "- a\n"), 1, "apiVersion"),
    "empty windows": ("windows", (WINDOWS, ""), 1, "apiVersion"),
}  # fmt: skip


@pytest.mark.promtool
@pytest.mark.parametrize("case", INVALID_FILES)
def test_an_invalid_file_gives_one_line_with_file_line_and_key_and_writes_nothing(case: str, tmp_path: Path) -> None:
    wrong, (old, new), line, key = INVALID_FILES[case]
    texts = {"spec": GOOD, "windows": WINDOWS}
    assert old in texts[wrong]
    files = {}
    for name, text in texts.items():
        files[name] = tmp_path / f"{name}.yml"
        files[name].write_text(text.replace(old, new, 1) if name == wrong else text)
    out = tmp_path / "out.yml"
    program = [sys.executable, "-c", "from lab.cli.main import main; main()", "slo", "generate", "--out", str(out)]
    done = subprocess.run(
        [*program, "--spec", str(files["spec"]), "--windows", str(files["windows"])],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (message,) = done.stderr.splitlines()
    assert f"{files[wrong]}:{line}: {key}: " in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["spec.yml", "windows.yml"]
