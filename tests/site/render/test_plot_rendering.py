"""Plots of one quantity against another: axes, the row of what never happens, and what a screen reader gets."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from lab.site.render import plot
from lab.site.render.plot import Axis, Curve

SECONDS = Axis(1, 1000, [(1, "1 s"), (1000, "1000 s")], log=True, never="never")
WEIGHT = Axis(0, 100, [(0, "0 %"), (100, "100 %")])


@given(st.floats(0.001, 1e6), st.floats(0.001, 1e6))
def test_positions_rise_with_the_value_and_stay_on_the_axis_below_never(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0 <= SECONDS.part(low) <= SECONDS.part(high) < SECONDS.part(math.inf, row=4) < SECONDS.part(math.inf) == 1


def test_a_logarithmic_axis_has_equal_steps_for_equal_factors() -> None:
    assert SECONDS.part(10) - SECONDS.part(1) == SECONDS.part(100) - SECONDS.part(10)
    assert WEIGHT.part(50) == 0.5


def test_a_curve_is_cut_where_it_becomes_never() -> None:
    curve = Curve("page", "line--0", [(1, math.inf), (2, math.inf), (3, 50), (4, 20), (5, math.inf)])
    drawn = str(plot.plot("p", "t", "d", WEIGHT, SECONDS, [curve]))
    assert drawn.count("<polyline") == 3
    assert ">never</text>" in drawn


def test_a_plot_is_one_element_with_a_name_a_description_and_its_labels() -> None:
    curve = Curve("gate <median>", "line--0", [(0, 1), (100, 10)], dots=True)
    drawing = plot.plot(
        "p", "Title", "What it shows", WEIGHT, SECONDS, [curve],
        levels=[plot.Level(10, "threshold 10")], instants=[plot.Instant(50, "aborted")],
    )  # fmt: skip
    root = ET.fromstring(str(drawing))  # noqa: S314 - our own markup
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "p-title p-desc"
    assert [element.text for element in root.iter("text")] == [
        "1 s", "1000 s", "never", "0 %", "100 %", "threshold 10", "aborted",
    ]  # fmt: skip
    assert len(list(root.iter("circle"))) == 2
    assert "gate &lt;median&gt;" in str(plot.key([curve]))
