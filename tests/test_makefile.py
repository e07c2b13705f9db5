"""The Makefile: what a target depends on is files, never another target by the name of its folder."""

from __future__ import annotations

import subprocess

import pytest

from lab.paths import ROOT


@pytest.mark.parametrize("target", ["site", "site/index.html"])
def test_building_the_site_neither_serves_it_nor_generates_rules(target: str) -> None:
    """`docs` and `rules` are folders whose files the site is made from, and targets that do other things."""
    plan = subprocess.run(
        ["make", "--dry-run", "--always-make", target], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "mkdocs build" in plan
    assert "mkdocs serve" not in plan
    assert "slo generate" not in plan
