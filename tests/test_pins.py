"""Third-party actions and packages in CI are pinned, and CI tests the versions that the README names."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from lab.paths import ROOT
from lab.stack.tools.binaries import OLDEST

WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
TEXT = WORKFLOW.read_text(encoding="utf-8")
JOBS: dict[str, Any] = yaml.safe_load(TEXT)["jobs"]


@pytest.mark.parametrize("line", re.findall(r"uses: .*", TEXT))
def test_every_action_is_pinned_to_a_commit_with_its_version_in_a_comment(line: str) -> None:
    assert re.fullmatch(r"uses: [\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)


def test_every_action_is_used_in_one_version_only() -> None:
    used = {line.partition("@")[0]: line for line in re.findall(r"uses: .*", TEXT)}
    assert set(used.values()) == set(re.findall(r"uses: .*", TEXT))


def test_every_package_that_the_workflow_installs_has_a_version() -> None:
    installed = re.findall(r"pip install (.*)", TEXT)
    assert installed
    assert all(re.fullmatch(r"[\w-]+==[\d.]+", requirement) for requirement in installed)


def test_the_workflow_tests_the_pythons_and_systems_that_the_readme_names() -> None:
    stated = re.search(r"Linux or macOS, Python 3\.(\d+) to 3\.(\d+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert stated is not None
    first, last = int(stated[1]), int(stated[2])
    assert JOBS["test"]["strategy"]["matrix"]["python"] == [f"3.{minor}" for minor in range(first, last + 1)]
    assert JOBS["macos"]["strategy"]["matrix"]["python"] == [f"3.{first}", f"3.{last}"]


def test_the_rules_are_tested_on_the_oldest_supported_prometheus() -> None:
    oldest = JOBS["prometheus"]["strategy"]["matrix"]["version"][0]
    assert tuple(int(part) for part in oldest.split(".")[:2]) == OLDEST["promtool"]
