"""Every proof holds on the promtool that is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.paths import RULES
from lab.slo.check import check_rules
from lab.slo.prove.repository import proof_files, run_proofs

pytestmark = pytest.mark.promtool


def test_every_rule_file_loads() -> None:
    assert check_rules() == 6


def test_every_proof_holds() -> None:
    complaints = run_proofs(proof_files())
    assert not complaints, "\n".join(complaints.values())


def test_a_rule_that_is_wrong_is_told_by_file(tmp_path: Path) -> None:
    """The proofs are able to fail: a threshold moved by a sixth is found out."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "tests").mkdir()
    rules = (RULES / "lab" / "feed.rules.yml").read_text()
    assert "> 14.4 *" in rules
    (tmp_path / "lab" / "feed.rules.yml").write_text(rules.replace("> 14.4 *", "> 12 *"))
    proof = tmp_path / "tests" / "lab-feed-quick.test.yml"
    proof.write_text((RULES / "tests" / proof.name).read_text())
    assert list(run_proofs([proof])) == [proof]
