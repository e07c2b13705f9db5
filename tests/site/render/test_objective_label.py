"""The label of a chart's objective keeps clear of the samples, and the objective's line of the tick labels."""

from __future__ import annotations

import re

from lab import units
from lab.site.render import html, svg
from lab.site.render.timeseries import Line

OBJECTIVE_LABEL = re.compile(r'class="objective-label" x="([\d.]+)%" y="([\d.]+)"')
OBJECTIVE_LINE = re.compile(r'class="objective" x1="0" x2="100%" y1="([\d.]+)"')
TICK = re.compile(r'class="tick" x="2" y="([\d.]+)">([^<]+)<')


def label_place(*values: float) -> tuple[float, float]:
    """(right end in percent, distance of the baseline below the objective's line in pixels) at an objective of 50."""
    drawn = str(svg.chart("c", "t", "d", [Line("a", "", 0, 1, values)], objective=50))
    label, line = OBJECTIVE_LABEL.search(drawn), OBJECTIVE_LINE.search(drawn)
    assert label and line
    return float(label[1]), float(label[2]) - float(line[1])


def test_the_label_is_above_its_line_at_the_right_edge_while_no_sample_is_there() -> None:
    assert label_place(*(10.0,) * 60) == (99.5, -5)


def test_the_label_is_below_its_line_when_the_samples_end_just_above_it() -> None:
    assert label_place(*(54.0,) * 60) == (99.5, 15)


def test_the_label_moves_left_of_samples_on_both_sides_of_its_line() -> None:
    right, _ = label_place(*(10.0,) * 80, *(46.0, 54.0) * 10)
    assert right < 81


def test_a_tick_label_that_the_line_of_the_objective_would_strike_stands_above_its_gridline() -> None:
    burn = Line("burn rate", units.BURN_RATE, 0, 1, (0.0, 60.0, 2.0))
    drawn = str(svg.chart("c", "t", "d", [burn], objective=14.4))
    line = OBJECTIVE_LINE.search(drawn)
    assert line
    baselines = {text: float(at) for at, text in TICK.findall(drawn)}
    assert "20x" in baselines
    assert all(not baseline - 11 < float(line[1]) < baseline + 2 for baseline in baselines.values())


def test_wrapping_code_breaks_at_underscores_slashes_and_blanks_only() -> None:
    wrapped = html.code("write_probe_total a/b", wrap=True)
    assert wrapped == '<code class="lab-wrap">write_<wbr>probe_<wbr>total a/<wbr>b</code>'
