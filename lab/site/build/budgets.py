"""What this site promises of itself: how fast, how light and how accessible each of its pages is on a phone.

`python -m scripts.bench_site` measures it, docs/figures/bench.json keeps the figures, page 10 and README.md show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab import units

# The page that may weigh more: it brings a record and a chart library.
CONSOLE = "lab/"


@dataclass(frozen=True)
class Bound:
    """`figure`: as the bench names it, its unit at the end. `least`: there must be that much, else at most."""

    figure: str
    title: str
    value: float
    least: bool = False

    def keeps(self, value: float) -> bool:
        """Whether a value is inside."""
        return value >= self.value if self.least else value <= self.value

    def words(self, value: float) -> str:
        """A value of this figure with its unit."""
        if self.figure.endswith("_seconds"):
            return units.seconds(value)
        if self.figure.endswith("_bytes"):
            return f"{value / 1000:.0f}{units.NBSP}kB"
        return f"{value:g}"

    @property
    def promise(self) -> str:
        """The bound itself in words."""
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
    """The bounds of one page, each with the name that the page's own figures have."""
    return (*PAGE, Bound(LOAD.figure, CONSOLE_LOAD.title, CONSOLE_LOAD.value) if page == CONSOLE else LOAD)


def worst(pages: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Figure by figure the worst of all pages; the console's weight stands apart."""
    found = {
        bound.figure: (min if bound.least else max)(figures[bound.figure] for figures in pages.values())
        for bound in PAGE
    }
    found[LOAD.figure] = max((one[LOAD.figure] for page, one in pages.items() if page != CONSOLE), default=0)
    return found | {CONSOLE_LOAD.figure: pages.get(CONSOLE, {}).get(LOAD.figure, 0)}


def missed(found: Mapping[str, Any]) -> list[tuple[str, Bound, float]]:
    """Which page ("" for the whole site) is out of which bound, and what it has."""
    out = [
        (page, bound, figures[bound.figure])
        for page, figures in found["pages"].items()
        for bound in of_page(page)
        if not bound.keeps(figures[bound.figure])
    ]
    return out if BUILD.keeps(found["build_seconds"]) else [*out, ("", BUILD, found["build_seconds"])]
