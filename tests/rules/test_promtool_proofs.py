"""Every promtool test of the rules passes on the installed promtool."""

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
    failures = run_proofs(proof_files())
    assert not failures, "\n".join(failures.values())


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
