"""Every listed mutation applies to the current rules, and a mutant is killed."""

from __future__ import annotations

import pytest

from lab.slo import find_slo, load_windows
from scripts.mutate_rules import Mutation, judge, mutate, read_mutations

SLOS = ("feed-availability", "feed-latency-p95", "feed-latency-p99")


@pytest.mark.parametrize("profile", ["lab", "production"])
@pytest.mark.parametrize("mutation", read_mutations(), ids=lambda mutation: mutation.name)
def test_every_listed_mutation_changes_the_rule_that_it_names(mutation: Mutation, profile: str) -> None:
    changed = [mutate(mutation, find_slo(slo), load_windows(profile)) for slo in SLOS]
    assert any(changed)


@pytest.mark.promtool
def test_a_mutant_is_killed_by_the_expected_chapter() -> None:
    mutation = next(m for m in read_mutations() if m.name == "page quick factor lowered")
    verdict = judge(mutation, find_slo("feed-latency-p99"), "lab")
    assert verdict is not None
    assert verdict.killed_by == "lab-feed-quick.test.yml"
