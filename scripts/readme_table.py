"""The README's table of the site's figures: `make fmt` writes it between cog's markers, `make check` checks it.

The figures are those of `make bench` in docs/figures/bench.json, as page 10 shows them.
"""

from __future__ import annotations

import json

from lab import units
from lab.paths import DOCS
from lab.site.build import budgets


def site_figures() -> str:
    """A Markdown table: the worst page's value of each budgeted figure, and the budget."""
    site = json.loads((DOCS / "figures" / "bench.json").read_text(encoding="utf-8"))["sections"]["site"]
    worst = budgets.worst(site["pages"]) | {budgets.BUILD.figure: site[budgets.BUILD.figure]}
    rows = [
        f"| {bound.title} | {bound.words(worst[bound.figure])} | {bound.limit} |"
        for bound in (*budgets.PAGE, budgets.LOAD, budgets.CONSOLE_LOAD, budgets.BUILD)
    ]
    return "\n".join(["| Of the worst page | Measured | Bound |", "|---|---|---|", *rows]).replace(units.NBSP, " ")
