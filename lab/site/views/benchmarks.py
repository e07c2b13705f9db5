"""What was measured: what rules cost, a stampede on the DB, memory, this site."""

from __future__ import annotations

import json
from typing import Any

from lab import units
from lab.errors import LabError
from lab.site.build import budgets
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources.context import Book

FIGURES = "figures/bench.json"


def rule_cost(book: Book) -> Markup:
    """What evaluating one SLO's rules costs beside Sloth's, as `make bench` measured it."""
    found = _figures(book, "rules")
    rows = [
        (
            title,
            side["rules"],
            f"{side['pass_ms']:.1f}{units.NBSP}ms",
            f"{side['second_ms']:.2f}{units.NBSP}ms",
        )
        for title, side in (("these rules", found["ours"]), ("Sloth\u2019s", found["sloth"]))
    ]
    table = html.table(
        ("Rules of one SLO", "Rules", "Every rule once", "Each second"), rows, label="Rule cost", numeric=True
    )
    return table + Markup(
        "<p>{} of Sloth\u2019s work each second, on Prometheus {} with {} days of history, measured on {}.</p>"
        "<p>One pass over all {} rules takes:</p><ul>{}</ul>"
    ).format(
        units.percent(found["ratio"], 0),
        found["prometheus"],
        f"{found['history_days']:g}",
        units.day(found["measured_at"]),
        found["ours"]["rules"],
        Markup("").join(_one_pass(_figures(book, section)) for section in ("rules", "rules_young", "rules_newer")),
    )


def _one_pass(found: dict[str, Any]) -> Markup:
    """How the two sides compare when every rule is evaluated once, however seldom it is in earnest."""
    return Markup("<li>{} of the time of Sloth\u2019s {}, on Prometheus {} with {} days of history</li>").format(
        units.percent(found["ours"]["pass_ms"] / found["sloth"]["pass_ms"], 0),
        found["sloth"]["rules"],
        found["prometheus"],
        f"{found['history_days']:g}",
    )


def single_flight_table(book: Book) -> Markup:
    """What the DB did while the cache was flushed again and again, without single-flight and with it."""
    found = _figures(book, "single_flight")
    rows = [
        (f"{name} single-flight", *(f"{found[name][figure]:g}" for figure in SINGLE_FLIGHT_FIGURES))
        for name in ("without", "with")
    ]
    head = ("Each second", "pages made, mean", "peak", "DB operations, mean", "peak")
    table = html.table(head, rows, label="A stampede on the DB", numeric=True)
    return table + Markup(
        "<p>{} people ask for their feeds {:g} times a second; the cache is flushed every {:g} s (wall time)."
        " Measured on {}.</p>"
    ).format(found["people"], found["requests_per_second"], found["flush_seconds"], units.day(found["measured_at"]))


SINGLE_FLIGHT_FIGURES = ("pages_mean", "pages_peak", "operations_mean", "operations_peak")


def site_figures(book: Book) -> Markup:
    """This site in a browser, the worst of all its pages, as `make bench` measured it; and which are out of bound."""
    found = _figures(book, "site")
    worst = budgets.worst(found["pages"]) | {budgets.BUILD.figure: found[budgets.BUILD.figure]}
    promised = (*budgets.PAGE, budgets.LOAD, budgets.CONSOLE_LOAD, budgets.BUILD)
    rows = [(bound.title, bound.words(worst[bound.figure]), bound.promise) for bound in promised]
    table = html.table(("Of the worst page", "Measured", "Bound"), rows, label="The site itself", numeric=True)
    out = [
        f"{bound.title} of {page or 'the site'} ({bound.words(value)})" for page, bound, value in budgets.missed(found)
    ]
    return table + Markup(
        '<p class="lab-note">{} pages, Lighthouse {}, median of {},'
        " measured on {} on {} cores with a load of {} before. {}</p>"
    ).format(
        len(found["pages"]),
        found["lighthouse"],
        found["runs"],
        units.day(found["measured_at"]),
        found["host"]["cpus"],
        found["load_average"],
        f"Out of bound: {'; '.join(out)}." if out else "Every page is inside its bounds.",
    )


def soak_table(book: Book) -> Markup:
    """Memory of every process over two hours of default traffic, as `make soak` measured it."""
    found = _figures(book, "soak")
    rows = [
        (
            process,
            *(f"{row[figure]:.0f}" for figure in ("start_mib", "half_mib", "end_mib", "peak_mib")),
            f"{row['slope_mib_per_hour']:+.1f}".replace("-", units.MINUS),
        )
        for process, row in found["processes"].items()
    ]
    head = ("RSS in MiB", "Start", "Half time", "End", "Peak", "MiB an hour, second half")
    table = html.table(head, rows, label="Memory of every process", numeric=True)
    return table + Markup(
        '<p class="lab-note">{} minutes of default traffic, drills in the first quarter: {}.'
        " Prometheus {}, {} cores, measured on {}. {}</p>"
    ).format(
        f"{found['minutes']:.0f}",
        ", ".join(f"{ident} {ended}" for ident, ended in found["drills"].items()),
        found["prometheus"],
        found["host"]["cpus"],
        units.day(found["measured_at"]),
        f"Out of bounds: {'; '.join(found['out_of_bounds'])}." if found["out_of_bounds"] else "All inside its bounds.",
    )


def _figures(book: Book, section: str) -> dict[str, Any]:
    path = book.docs / FIGURES
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["sections"][section]
    except (OSError, ValueError, KeyError) as error:
        again = f"python -m scripts.bench_{section} --record docs/{FIGURES}"
        if section.startswith("rules_"):
            again = f"python -m scripts.bench_rules --record docs/{FIGURES} --section {section}"
        elif section == "soak":
            again = "make soak"
        raise LabError(f"docs/{FIGURES} holds no figures of {section!r}; run `{again}`") from error
    return found


VIEWS = (rule_cost, single_flight_table, site_figures, soak_table)
