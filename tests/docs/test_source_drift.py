"""A source changed by hand fails the build of the site with the page and the source that no longer match."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.paths import ROOT

pytestmark = pytest.mark.batch

LAB_FACTOR = ("rules/lab/feed.rules.yml", "> 14.4 * 0.01", "> 13.4 * 0.01")
PRODUCTION_FACTOR = ("rules/production/user.rules.yml", "> 14.4 *", "> 13.4 *")
SPECIFIED_FACTOR = ("rules/windows/lab.yml", "errorBudgetPercent: 2", "errorBudgetPercent: 3")
METRIC_OF_A_SENTENCE = ("lab/names.py", '"http_server_request_duration_seconds"', '"http_server_duration_seconds"')
METRIC_OF_A_RULE = ("lab/names.py", '"db_lock_waiters"', '"db_lock_waiting"')
COMMAND = ("docs/templates/03_runbooks.md", "fleetops canary weight 0", "fleetops canary weight 1")
QUERY = ("docs/templates/03_runbooks.md", "min(db_index_valid) == 0", "min(db_index_vaild) == 0")
PARAMETER = ("lab/drills/catalogue/INC-001.yml", "{weight_percent: 50}", "{weight_percent: 40}")
BUCKET = ("lab/names.py", "0.3, 0.4, 0.6", "0.3, 0.45, 0.6")


def build(tree: Path) -> str:
    """The error output of the strict build of a copy, which must fail."""
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tree / "out")],
        cwd=tree, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    return done.stderr


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of everything that the site is built from, code included."""
    copy = tmp_path_factory.mktemp("tree")
    for folder in ("docs", "lab", "rules", ".github"):
        shutil.copytree(ROOT / folder, copy / folder)
    shutil.copy(ROOT / "mkdocs.yml", copy)
    return copy


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (LAB_FACTOR, r"rules/lab/feed\.rules\.yml(:\d+: differs from its spec| changed since)"),
        (PRODUCTION_FACTOR, r"rules/production/user\.rules\.yml:\d+: differs from its spec; run `make rules`"),
        (SPECIFIED_FACTOR, r"rules/(windows/lab\.yml changed since|lab/\w+\.rules\.yml:\d+: differs from its spec)"),
        (METRIC_OF_A_SENTENCE, r"http_server_request_duration_seconds.*lab/telemetry/http\.py"),
        (METRIC_OF_A_RULE, r"db_lock_waiters.*db_lock_waiting.* lab/\S+\.py"),
        (COMMAND, r"docs/03_runbooks\.md#feedlatencyp99burn changed since"),
        (QUERY, r"(03_runbooks\.md#\w+ changed since|line \d+ of templates/03_runbooks\.md queries db_index_vaild)"),
        (PARAMETER, r"lab/drills/catalogue/INC-001\.yml changed since"),
        (
            BUCKET,
            r"rules/slos/feed\.yml: feed-latency-p99 has the threshold 0\.4 s, .*bucket edge in lab/names\.py",
        ),
    ],
    ids=[
        "factor in the lab",
        "factor in production",
        "factor in the windows",
        "metric in a sentence",
        "metric in a rule",
        "runbook command",
        "runbook query",
        "drill parameter",
        "bucket",
    ],
)
def test_a_source_changed_by_hand_fails_the_build_by_page_and_source(
    tree: Path, change: tuple[str, str, str], message: str
) -> None:
    file, old, new = tree / change[0], change[1], change[2]
    before = file.read_text()
    assert old in before
    file.write_text(before.replace(old, new))
    try:
        output = build(tree)
    finally:
        file.write_text(before)
    assert re.search(rf"^site: docs/\w+(/[\w-]+)?\.md: .*{message}", output, re.M), output
