"""The README's table of the site's figures: `make fmt` writes it between cog's markers, `make check` checks it.

The figures are those of `make bench` in docs/figures/bench.json, as page 10 shows them.
"""

from __future__ import annotations

from lab import units
from lab.paths import DOCS
from lab.site.build import budgets
from lab.site.sources.benchmarks import SiteFigures, read


def site_figures() -> str:
    """A Markdown table: the worst page's value of each budgeted figure, and the budget."""
    site = read(DOCS, "site", SiteFigures)
    worst = budgets.worst(site.pages, site.build_seconds)
    rows = [
        f"| {bound.title} | {bound.words(worst[bound.figure])} | {bound.limit} |"
        for bound in (*budgets.PAGE, budgets.LOAD, budgets.CONSOLE_LOAD, budgets.BUILD)
    ]
    return "\n".join(["| Of the worst page | Measured | Bound |", "|---|---|---|", *rows]).replace(units.NBSP, " ")
