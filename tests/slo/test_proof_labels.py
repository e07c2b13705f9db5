"""Proofs generate series that a spec's selectors match, for all four kinds of PromQL matchers."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import SpecError
from lab.slo import load_windows, promtool
from lab.slo.generate import read_all, render_slos
from lab.slo.model import Slo
from lab.slo.prove.labels import choose, satisfies
from lab.slo.prove.repository import chapters
from lab.slo.prove.testfile import render_tests
from lab.slo.prove.workload import counters
from lab.slo.query.tree import Matcher
from lab.slo.rendering.rules import generate

SPEC = """\
version: prometheus/v1
service: ferry
slos:
  - name: trips
    objective: 99.9
    sli:
      events:
        error_query: sum(rate(ops_total{job="dock",code%s}[{{.window}}]))
        total_query: sum(rate(ops_total{job="dock",code%s}[{{.window}}]))
    alerting: {name: Burn}
"""
MATCHERS = [
    ('=~"500|503"', '!=""'),
    ('=~"[45].."', '=~"\\\\d+"'),
    ('=~"5\\\\d\\\\d"', '=~".+"'),
    ('!="200"', '!~"4.."'),
    ('!~"2..|404"', '!="404"'),
    ('=~"5.."', '=~"(2|5)[0-9]{2}"'),
    ('=~"(?i)err.*"', '!~""'),
    ('=~"5[[:digit:]]+"', '!=""'),
    ('=~"[^2]..",slow!="yes"', '!=""'),
]


def slos_of(folder: Path, bad: str, total: str) -> list[Slo]:
    (folder / "spec.yml").write_text(SPEC % (bad, total))
    return read_all([folder / "spec.yml"])[0][1]


@pytest.mark.parametrize(("bad", "total"), MATCHERS)
def test_one_series_counts_failures_and_one_successes(tmp_path: Path, bad: str, total: str) -> None:
    failed, good = sorted(counters(slos_of(tmp_path, bad, total)), key=lambda counter: counter.failed is None)
    assert failed.failed == good.succeeded == "ferry-trips"
    assert failed.series != good.series
    assert 'job="dock"' in failed.series
    assert 'job="dock"' in good.series


@pytest.mark.promtool
@pytest.mark.parametrize(("bad", "total"), MATCHERS[3:5])
def test_the_proofs_of_a_spec_with_negative_matchers_hold(tmp_path: Path, bad: str, total: str) -> None:
    slos, windows = slos_of(tmp_path, bad, total), load_windows("lab")
    (tmp_path / "rules.yml").write_text(render_slos(slos, windows, "spec.yml"))
    evaluation, proofs = next(
        (evaluation, proofs) for name, evaluation, proofs in chapters(slos, windows) if name == "quick"
    )
    groups = [group.name for slo in slos for group in generate(slo, windows)]
    (tmp_path / "quick.test.yml").write_text(render_tests([], ["rules.yml"], groups, evaluation, proofs[1:]))
    result = promtool.run(["test", "rules", tmp_path / "quick.test.yml"])
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("bad", "total", "line"),
    [('="500",code!="500"', '!=""', 8), ('=~"5[[:punct:]]+"', '!=""', 8), ('=~"5.."', '=~"5[0-9]{2}"', 9)],
)
def test_matchers_that_no_value_satisfies_are_refused_with_the_line(
    tmp_path: Path, bad: str, total: str, line: int
) -> None:
    slos = slos_of(tmp_path, bad, total)
    with pytest.raises(SpecError, match=rf"spec.yml:{line}: .*no proof can be generated"):
        counters(slos)


def test_a_regular_expression_is_anchored_and_its_dot_matches_a_newline() -> None:
    assert satisfies(Matcher("a", "=~", "5.."), "500")
    assert not satisfies(Matcher("a", "=~", "5.."), "1500")
    assert satisfies(Matcher("a", "=~", "a.b"), "a\nb")
    assert satisfies(Matcher("a", "!~", "5.."), "50")


def test_a_value_satisfies_all_matchers_of_a_label() -> None:
    value = choose([Matcher("a", "=~", "x[a-c]+"), Matcher("a", "!=", "xa")])
    assert value is not None
    assert value.startswith("x")
    assert value != "xa"
