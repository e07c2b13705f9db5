"""Checks that the committed rules match the specs and that Prometheus would load them."""

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
    """One line for each committed file that differs from what `fleetops slo generate` would write."""
    expected = render_all()
    yield from _differing(expected)
    for path in stale_files(expected):
        yield f"{display(path)}: is not generated from any spec; delete it"


def rule_drift() -> Iterator[str]:
    """The same for the rule files alone. Needs no promtool, so pages that show rules can check them."""
    yield from _differing(render_rules(read_all(committed().spec_files)))


def _differing(expected: dict[Path, str]) -> Iterator[str]:
    for path, text in expected.items():
        if not path.is_file():
            yield f"{display(path)}: is missing; run `make rules`"
        elif (committed_text := path.read_text(encoding="utf-8")) != text:
            yield f"{display(path)}:{_first_difference(committed_text, text)}: differs from its spec; run `make rules`"


def _first_difference(text: str, expected: str) -> int:
    """The number of the first line that differs."""
    pairs = zip_longest(text.splitlines(), expected.splitlines())
    return next((number for number, (old, new) in enumerate(pairs, start=1) if old != new), 1)


def check_rules() -> int:
    """Run `promtool check rules` over every file that either profile loads; return how many. Raises LabError."""
    paths = sorted({path for profile in PROFILES for path in committed().rule_files(profile)})
    result = promtool.run(["check", "rules", *paths])
    if result.returncode != 0:
        raise LabError(f"promtool check rules failed: {' '.join((result.stdout + result.stderr).split())}")
    return len(paths)
