"""Every promtool test of the rules passes on the installed promtool."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.paths import ROOT, RULES
from lab.slo.check import check_rules
from lab.slo.prove.repository import run_proofs

pytestmark = pytest.mark.promtool


def test_every_rule_file_loads() -> None:
    assert check_rules() == 8


def test_every_proof_holds() -> None:
    """They are run if a rule, a proof or promtool changed since they last held, as by `make check`."""
    make = ["make", "--no-print-directory", ".cache/proofs-hold"]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_rule_is_reported_by_file(tmp_path: Path) -> None:
    """A threshold that is a sixth too low fails a proof."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "tests").mkdir()
    rules = (RULES / "lab" / "feed.rules.yml").read_text()
    assert "> 14.4 *" in rules
    (tmp_path / "lab" / "feed.rules.yml").write_text(rules.replace("> 14.4 *", "> 12 *"))
    proof = tmp_path / "tests" / "lab-feed-quick.test.yml"
    proof.write_text((RULES / "tests" / proof.name).read_text())
    assert list(run_proofs([proof])) == [proof]
