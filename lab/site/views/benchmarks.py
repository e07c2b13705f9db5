"""Benchmark results on pages: the cost of rules, a cache stampede, memory, and the site itself."""

from __future__ import annotations

import json
from typing import Any

from lab import units
from lab.errors import LabError
from lab.site.build import budgets
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources.context import SiteContext

FIGURES = "figures/bench.json"


def rule_cost(context: SiteContext) -> Markup:
    """The cost of evaluating one SLO's rules next to Sloth's, as `make bench` measured it."""
    section = _section(context, "rules")
    rows = [
        (
            title,
            side["rules"],
            f"{side['pass_ms']:.1f}{units.NBSP}ms",
            f"{side['second_ms']:.2f}{units.NBSP}ms",
        )
        for title, side in (("these rules", section["ours"]), ("Sloth\u2019s", section["sloth"]))
    ]
    table = html.table(
        ("Rules of one SLO", "Rules", "One pass over all rules", "Per second"), rows, label="Rule cost", numeric=True
    )
    return table + Markup(
        "<p>{} of Sloth\u2019s work per second, on Prometheus {} with {} days of history, measured on {}.</p>"
        "<p>One pass over all {} rules takes:</p><ul>{}</ul>"
    ).format(
        units.percent(section["ratio"], 0),
        section["prometheus"],
        f"{section['history_days']:g}",
        units.day(section["measured_at"]),
        section["ours"]["rules"],
        Markup("").join(_one_pass(_section(context, name)) for name in ("rules", "rules_young", "rules_newer")),
    )


def _one_pass(section: dict[str, Any]) -> Markup:
    """The two rule sets compared by one evaluation of every rule, regardless of evaluation intervals."""
    return Markup("<li>{} of the time of Sloth\u2019s {}, on Prometheus {} with {} days of history</li>").format(
        units.percent(section["ours"]["pass_ms"] / section["sloth"]["pass_ms"], 0),
        section["sloth"]["rules"],
        section["prometheus"],
        f"{section['history_days']:g}",
    )


def single_flight_table(context: SiteContext) -> Markup:
    """The database's load while the cache was flushed repeatedly, without single-flight and with it."""
    section = _section(context, "single_flight")
    rows = [
        (f"{name} single-flight", *(f"{section[name][figure]:g}" for figure in SINGLE_FLIGHT_FIGURES))
        for name in ("without", "with")
    ]
    head = ("Per second", "feeds built, mean", "peak", "database operations, mean", "peak")
    table = html.table(head, rows, label="Cache stampede", numeric=True)
    return table + Markup(
        "<p>{} users request their feeds {:g} times per second; the cache is flushed every {:g} s (wall time)."
        " Measured on {}.</p>"
    ).format(
        section["people"], section["requests_per_second"], section["flush_seconds"], units.day(section["measured_at"])
    )


SINGLE_FLIGHT_FIGURES = ("pages_mean", "pages_peak", "operations_mean", "operations_peak")


def site_figures(context: SiteContext) -> Markup:
    """The worst figures of all pages next to their budgets, as `make bench` measured them, and every budget missed."""
    section = _section(context, "site")
    worst = budgets.worst(section["pages"]) | {budgets.BUILD.figure: section[budgets.BUILD.figure]}
    bounds = (*budgets.PAGE, budgets.LOAD, budgets.CONSOLE_LOAD, budgets.BUILD)
    rows = [(bound.title, bound.words(worst[bound.figure]), bound.limit) for bound in bounds]
    table = html.table(("Of the worst page", "Measured", "Bound"), rows, label="The site itself", numeric=True)
    missed = [
        f"{bound.title} of {page or 'the site'} ({bound.words(value)})"
        for page, bound, value in budgets.missed(section)
    ]
    return table + Markup(
        '<p class="lab-note">{} pages, Lighthouse {}, median of {},'
        " measured on {} on {} cores with a load of {} before. {}</p>"
    ).format(
        len(section["pages"]),
        section["lighthouse"],
        section["runs"],
        units.day(section["measured_at"]),
        section["host"]["cpus"],
        section["load_average"],
        f"Out of bounds: {'; '.join(missed)}." if missed else "Every page is within its bounds.",
    )


def soak_table(context: SiteContext) -> Markup:
    """Memory of every process over two hours of default traffic, as `make soak` measured it."""
    section = _section(context, "soak")
    rows = [
        (
            process,
            *(f"{row[figure]:.0f}" for figure in ("start_mib", "half_mib", "end_mib", "peak_mib")),
            f"{row['slope_mib_per_hour']:+.1f}".replace("-", units.MINUS),
        )
        for process, row in section["processes"].items()
    ]
    out_of_bounds = section["out_of_bounds"]
    head = ("RSS in MiB", "Start", "Halfway", "End", "Peak", "MiB per hour, second half")
    table = html.table(head, rows, label="Memory of every process", numeric=True)
    return table + Markup(
        '<p class="lab-note">{} minutes of default traffic, drills in the first quarter: {}.'
        " Prometheus {}, {} cores, measured on {}. {}</p>"
    ).format(
        f"{section['minutes']:.0f}",
        ", ".join(f"{ident} {outcome}" for ident, outcome in section["drills"].items()),
        section["prometheus"],
        section["host"]["cpus"],
        units.day(section["measured_at"]),
        f"Out of bounds: {'; '.join(out_of_bounds)}." if out_of_bounds else "Every process is within its bounds.",
    )


def _section(context: SiteContext, name: str) -> dict[str, Any]:
    """One section of the measured figures. Raises LabError that names the command which measures it."""
    path = context.docs / FIGURES
    try:
        section: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["sections"][name]
    except (OSError, ValueError, KeyError) as error:
        command = f"python -m scripts.bench_{name} --record docs/{FIGURES}"
        if name.startswith("rules_"):
            command = f"python -m scripts.bench_rules --record docs/{FIGURES} --section {name}"
        elif name == "soak":
            command = "make soak"
        raise LabError(f"docs/{FIGURES} holds no figures of {name!r}; run `{command}`") from error
    return section


VIEWS = (rule_cost, single_flight_table, site_figures, soak_table)
