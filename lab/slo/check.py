"""Whether the committed rules are what the specs say, load, and do what their tests say."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

from lab.errors import LabError
from lab.places import RULES
from lab.slo import promtool
from lab.slo.generate import display, render_repository, stale_files
from lab.slo.library import PROFILES, rule_paths


def drift() -> Iterator[str]:
    """One line for each generated file that is not what `fleetops slo generate` would write."""
    expected = render_repository()
    for path, text in expected.items():
        if not path.is_file():
            yield f"{display(path)}: is missing; run `make rules`"
        elif (found := path.read_text(encoding="utf-8")) != text:
            yield f"{display(path)}:{_first_difference(found, text)}: differs from its spec; run `make rules`"
    for path in stale_files(expected):
        yield f"{display(path)}: belongs to no spec; delete it"


def _first_difference(found: str, expected: str) -> int:
    matcher = difflib.SequenceMatcher(None, found.splitlines(), expected.splitlines(), autojunk=False)
    return next((block.a + block.size + 1 for block in matcher.get_matching_blocks()[:1] if block.a == block.b == 0), 1)


def test_files() -> list[Path]:
    """The promtool tests, in order."""
    return sorted((RULES / "tests").glob("*.test.yml"))


def check_rules() -> int:
    """`promtool check rules` over everything either profile loads; how many files. Raises LabError."""
    paths = sorted({path for profile in PROFILES for path in rule_paths(profile)})
    _expect_success(promtool.run(["check", "rules", *paths]), "promtool check rules")
    return len(paths)


def run_tests() -> int:
    """`promtool test rules` over the committed tests; how many files. Raises LabError."""
    paths = test_files()
    _expect_success(promtool.run(["test", "rules", *paths]), "promtool test rules")
    return len(paths)


def _expect_success(result: promtool.Completed, what: str) -> None:
    if result.returncode != 0:
        raise LabError(f"{what} failed:\n{(result.stdout + result.stderr).strip()}")
