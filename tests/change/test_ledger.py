"""The budget ledger sums exactly, counts nothing twice, and charges what was under way."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.change.ledger import Interval, Kind, Span, ledger, whole

pytestmark = pytest.mark.batch

EVENTS = st.one_of(st.integers(0, 10**6), st.floats(0, 1e6)).map(Fraction)
TIMES = st.integers(0, 60)


def span(name: str, kind: Kind, start: float, end: float = math.inf) -> Span:
    return Span(name, kind, start, end)


@st.composite
def intervals(draw: st.DrawFn) -> list[Interval]:
    """Intervals in any order; those of a live ledger overlap, as these may."""
    starts = draw(st.lists(TIMES, max_size=12))
    return [Interval(start, start + draw(st.integers(1, 5)), draw(EVENTS)) for start in starts]


@st.composite
def spans(draw: st.DrawFn) -> list[Span]:
    """Spans that may overlap, be nested, be equal, be open, or have no length."""
    length = st.one_of(TIMES, st.just(math.inf))
    made = st.builds(
        lambda name, kind, start, seconds: Span(name, kind, start, start + seconds),
        st.sampled_from("ABC"), st.sampled_from(Kind), TIMES, length,
    )  # fmt: skip
    return draw(st.lists(made, max_size=8))


ALLOWED = st.fractions(min_value=Fraction(1, 10**6), max_value=10**6)


@given(rows=intervals(), candidates=spans(), allowed=ALLOWED)
def test_the_ledger_sums_to_the_budget_exactly(rows: list[Interval], candidates: list[Span], allowed: Fraction) -> None:
    found = ledger(rows, candidates, allowed)
    bad = sum((row.bad for row in rows), Fraction(0))
    assert sum((entry.bad for entry in found.entries), found.unattributed) == bad
    assert sum((entry.share for entry in found.entries), found.unattributed_share) == bad / allowed
    assert sum((entry.share for entry in found.entries), found.unattributed_share) + found.left_share == 1


@given(rows=intervals(), candidates=spans())
def test_nothing_is_charged_twice_nor_to_what_was_not_under_way(rows: list[Interval], candidates: list[Span]) -> None:
    found = ledger(rows, candidates, Fraction(1))
    assert len({entry.span for entry in found.entries}) == len(found.entries)
    for entry in found.entries:
        assert entry.span in candidates
        assert 0 < entry.bad <= sum(row.bad for row in rows if entry.span.overlaps(row))
    assert found.unattributed == sum(row.bad for row in rows if not any(span.overlaps(row) for span in candidates))


@given(rows=intervals(), candidates=spans(), data=st.data())
def test_the_order_of_spans_and_intervals_does_not_matter(
    rows: list[Interval], candidates: list[Span], data: st.DataObject
) -> None:
    shuffled = ledger(data.draw(st.permutations(rows)), data.draw(st.permutations(candidates)), Fraction(7, 3))
    assert shuffled == ledger(rows, candidates, Fraction(7, 3))


@pytest.mark.parametrize(
    ("first", "second", "charged"),
    [
        (span("INC-003", Kind.DRILL, 0), span("rollout", Kind.ROLLOUT, 8), "INC-003"),
        (span("INC-003", Kind.DRILL, 0), span("page", Kind.PAGE, 8), "INC-003"),
        (span("page", Kind.PAGE, 0), span("other page", Kind.OTHER_PAGE, 8), "page"),
        (span("rollout", Kind.ROLLOUT, 0), span("config push", Kind.CHANGE, 8), "rollout"),
        (span("older", Kind.CHANGE, 0), span("newer", Kind.CHANGE, 8), "newer"),
        (span("longer", Kind.PAGE, 8), span("shorter", Kind.PAGE, 8, 12), "shorter"),
        (span("over", Kind.DRILL, 0, 9), span("later", Kind.CHANGE, 0), "later"),
        (span("not begun", Kind.DRILL, 11), span("under way", Kind.CHANGE, 0), "under way"),
        (span("over", Kind.DRILL, 0, 9), span("not begun", Kind.DRILL, 11), None),
    ],
)
def test_of_spans_that_overlap_one_is_charged(first: Span, second: Span, charged: str | None) -> None:
    found = ledger([Interval(9, 10, Fraction(4))], [first, second], Fraction(40))
    assert [(entry.span.name, entry.share) for entry in found.entries] == (
        [(charged, Fraction(1, 10))] if charged else []
    )
    assert found.unattributed_share == (0 if charged else Fraction(1, 10))


def test_the_largest_entry_comes_first_and_an_overspent_budget_is_negative() -> None:
    rows = [Interval(0, 1, Fraction(2)), Interval(5, 6, Fraction(9)), Interval(20, 21, Fraction(1))]
    found = ledger(rows, [span("small", Kind.CHANGE, 0, 2), span("large", Kind.PAGE, 4, 7)], Fraction(10))
    assert [entry.span.name for entry in found.entries] == ["large", "small"]
    assert found.left_share == Fraction(-2, 10)


def test_only_incidents_above_the_bound_need_a_postmortem() -> None:
    kinds = list(Kind)
    rows = [Interval(10 * at, 10 * at + 1, Fraction(21)) for at in range(len(kinds))]
    by_kind = [span(kind, kind, 10 * at, 10 * at + 2) for at, kind in enumerate(kinds)]
    found = ledger(rows, by_kind, Fraction(100))
    assert {entry.span.kind for entry in found.above(0.2)} == {Kind.DRILL, Kind.PAGE, Kind.OTHER_PAGE}
    assert found.above(0.21) == []


@pytest.mark.parametrize("allowed", [0, -1])
def test_a_budget_without_allowed_events_is_refused(allowed: int) -> None:
    with pytest.raises(ValueError, match="cannot be shared out"):
        ledger([], [], Fraction(allowed))


@given(values=st.lists(st.fractions(min_value=-(10**4), max_value=10**4), max_size=10))
def test_rounded_lines_sum_to_the_rounded_total_and_each_is_off_by_less_than_one(values: list[Fraction]) -> None:
    rounded = whole(values)
    assert sum(rounded) == round(sum(values, Fraction(0)))
    assert all(abs(shown - value) < 1 for shown, value in zip(rounded, values, strict=True))
