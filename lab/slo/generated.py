"""The files generated from the repository's own specs: rules and proofs, for production and for lab time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lab.paths import RULES
from lab.slo.catalogue import PROFILES, committed, load_windows
from lab.slo.generate import display, read_all, rule_file, write_output
from lab.slo.model import Slo
from lab.slo.prove.repository import TESTS, render_proofs
from lab.slo.rendering.loadable import RuleFile, check_loadable

HAND_WRITTEN = "platform"  # prefix of the test files of the platform rules


def render_all() -> dict[Path, str]:
    """The expected text of every generated file, by path. Raises SpecError; writes nothing."""
    specs = read_all(committed().spec_files)
    rules = _rule_files(specs)
    check_loadable(list(rules.values()))
    return {path: file.text for path, file in rules.items()} | render_proofs(specs)


def render_rules(specs: Sequence[tuple[Path, list[Slo]]]) -> dict[Path, str]:
    """The expected text of the rule files alone, by path. Needs no promtool."""
    return {path: file.text for path, file in _rule_files(specs).items()}


def _rule_files(specs: Sequence[tuple[Path, list[Slo]]]) -> dict[Path, RuleFile]:
    return {
        committed().generated_file(profile, path): rule_file(slos, load_windows(profile), display(path))
        for profile in PROFILES
        for path, slos in specs
    }


def stale_files(expected: dict[Path, str]) -> list[Path]:
    """Generated files on disk that no spec generates any more."""
    rules = (path for profile in PROFILES for path in (RULES / profile).glob("*.rules.yml"))
    tests = (path for path in TESTS.glob("*.test.yml") if not path.name.startswith(HAND_WRITTEN))
    return sorted(path for path in (*rules, *tests) if path not in expected)


def write_all() -> tuple[int, list[Path]]:
    """Write every generated file and delete stale ones. Returns how many are generated, and which were deleted."""
    expected = render_all()
    for path, text in expected.items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_output(path, text)
    stale = stale_files(expected)
    for path in stale:
        path.unlink()
    return len(expected), stale
