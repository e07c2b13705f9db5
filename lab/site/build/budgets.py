"""Budgets of the site: how fast, how light and how accessible each page must be on a phone.

`python -m scripts.bench_site` measures them into docs/figures/bench.json; page 10 and README.md show the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab import units

# This page may weigh more than the others: it loads a record and a chart library.
CONSOLE = "lab/"


@dataclass(frozen=True)
class Bound:
    """One budget: the limit of one figure.

    `figure` is the key in bench.json, with its unit at the end (`_seconds`, `_bytes`). With `least` the figure must be
    `value` or more, otherwise `value` or less.
    """

    figure: str
    title: str
    value: float
    least: bool = False

    def keeps(self, value: float) -> bool:
        """Whether a measured value is within the budget."""
        return value >= self.value if self.least else value <= self.value

    def words(self, value: float) -> str:
        """A value of this figure as text, with its unit."""
        if self.figure.endswith("_seconds"):
            return units.seconds(value)
        if self.figure.endswith("_bytes"):
            return f"{value / 1000:.0f}{units.NBSP}kB"
        return f"{value:g}"

    @property
    def limit(self) -> str:
        """The budget as text: `at most 150 kB`."""
        return f"{'at least' if self.least else 'at most'} {self.words(self.value)}"


BUILD = Bound("build_seconds", "strict build, CPU time", 10)
LOAD = Bound("load_bytes", "first load of a page, compressed", 150_000)
CONSOLE_LOAD = Bound("console_bytes", "first load of the console with its record", 400_000)
PAGE = (
    Bound("performance", "Lighthouse performance, phone", 95, least=True),
    Bound("accessibility", "Lighthouse accessibility, either scheme", 100, least=True),
    Bound("best-practices", "Lighthouse best practices, either scheme", 100, least=True),
    Bound("seo", "Lighthouse SEO, either scheme", 100, least=True),
    Bound("lcp_seconds", "largest contentful paint", 2),
    Bound("tbt_seconds", "total blocking time", 0.15),
    Bound("cls", "layout shift", 0.02),
)


def of_page(page: str) -> tuple[Bound, ...]:
    """The budgets of one page. Its weight is `load_bytes` among its figures, for the console too."""
    return (*PAGE, Bound(LOAD.figure, CONSOLE_LOAD.title, CONSOLE_LOAD.value) if page == CONSOLE else LOAD)


def worst(pages: Mapping[str, Mapping[str, float]], build_seconds: float) -> dict[str, float]:
    """The worst value of each figure over all pages, and the build's.

    The console's weight is a separate figure, `console_bytes`.
    """
    values = {
        bound.figure: (min if bound.least else max)(figures[bound.figure] for figures in pages.values())
        for bound in PAGE
    }
    weights = (figures[LOAD.figure] for page, figures in pages.items() if page != CONSOLE)
    values[LOAD.figure] = max(weights, default=0)
    return values | {
        CONSOLE_LOAD.figure: pages.get(CONSOLE, {}).get(LOAD.figure, 0),
        BUILD.figure: build_seconds,
    }


def missed(pages: Mapping[str, Mapping[str, float]], build_seconds: float) -> list[tuple[str, Bound, float]]:
    """(page, budget, measured value) of every budget missed; page is "" for the whole site."""
    misses = [
        (page, bound, figures[bound.figure])
        for page, figures in pages.items()
        for bound in of_page(page)
        if not bound.keeps(figures[bound.figure])
    ]
    return misses if BUILD.keeps(build_seconds) else [*misses, ("", BUILD, build_seconds)]
