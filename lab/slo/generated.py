"""What is generated from the repository's own specs: rules and proofs, for production and for lab time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lab.paths import RULES
from lab.slo.catalogue import PROFILES, committed, load_windows
from lab.slo.generate import display, read_all, rule_file, write_output
from lab.slo.model import Slo
from lab.slo.prove.repository import TESTS, render_proofs
from lab.slo.rendering.loadable import RuleFile, check_loadable

HAND_WRITTEN = "platform"  # how the name of a test of the platform's rules begins


def render_all() -> dict[Path, str]:
    """Every generated file with the text it must have. Raises SpecError before anything is written."""
    specs = read_all(committed().spec_files)
    rules = _rule_files(specs)
    check_loadable(list(rules.values()))
    return {path: file.text for path, file in rules.items()} | render_proofs(specs)


def render_rules(specs: Sequence[tuple[Path, list[Slo]]]) -> dict[Path, str]:
    """The rule files alone, each with the text it must have; needs no promtool."""
    return {path: file.text for path, file in _rule_files(specs).items()}


def _rule_files(specs: Sequence[tuple[Path, list[Slo]]]) -> dict[Path, RuleFile]:
    return {
        committed().generated_file(profile, path): rule_file(slos, load_windows(profile), display(path))
        for profile in PROFILES
        for path, slos in specs
    }


def stale_files(expected: dict[Path, str]) -> list[Path]:
    """Files among the generated ones that no spec gives any more."""
    rules = (path for profile in PROFILES for path in (RULES / profile).glob("*.rules.yml"))
    tests = (path for path in TESTS.glob("*.test.yml") if not path.name.startswith(HAND_WRITTEN))
    return sorted(path for path in (*rules, *tests) if path not in expected)


def write_all() -> tuple[int, list[Path]]:
    """Write every generated file and delete stale ones: how many there are, and what was deleted."""
    expected = render_all()
    for path, text in expected.items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_output(path, text)
    stale = stale_files(expected)
    for path in stale:
        path.unlink()
    return len(expected), stale
