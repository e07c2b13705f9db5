"""Whether the committed rules are what the specs say, load, and do what their tests say."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from lab.errors import LabError
from lab.slo import promtool
from lab.slo.catalogue import PROFILES, committed
from lab.slo.generate import display, read_all
from lab.slo.generated import render_all, render_rules, stale_files


def drift() -> Iterator[str]:
    """One line for each generated file that is not what `fleetops slo generate` would write."""
    expected = render_all()
    yield from _differing(expected)
    for path in stale_files(expected):
        yield f"{display(path)}: belongs to no spec; delete it"


def rule_drift() -> Iterator[str]:
    """The same of the rule files alone, which needs no promtool: for who shows the rules."""
    yield from _differing(render_rules(read_all(committed().spec_files)))


def _differing(expected: dict[Path, str]) -> Iterator[str]:
    for path, text in expected.items():
        if not path.is_file():
            yield f"{display(path)}: is missing; run `make rules`"
        elif (found := path.read_text(encoding="utf-8")) != text:
            yield f"{display(path)}:{_first_difference(found, text)}: differs from its spec; run `make rules`"


def _first_difference(found: str, expected: str) -> int:
    pairs = zip_longest(found.splitlines(), expected.splitlines())
    return next((number for number, (old, new) in enumerate(pairs, start=1) if old != new), 1)


def check_rules() -> int:
    """`promtool check rules` over everything either profile loads; how many files. Raises LabError."""
    paths = sorted({path for profile in PROFILES for path in committed().rule_files(profile)})
    result = promtool.run(["check", "rules", *paths])
    if result.returncode != 0:
        raise LabError(f"promtool check rules failed: {' '.join((result.stdout + result.stderr).split())}")
    return len(paths)
