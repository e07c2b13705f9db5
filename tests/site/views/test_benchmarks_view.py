"""Pages show measured figures exactly, and do not build without them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from support import text

from lab import units
from lab.errors import LabError
from lab.site.sources.context import SiteContext
from lab.site.views import benchmarks
from scripts.figures import write_section


def test_the_cost_of_rules_is_the_measured_one(context: SiteContext) -> None:
    figures = context.docs / "figures" / "bench.json"
    sections = json.loads(figures.read_text())["sections"]
    shown = text(benchmarks.rule_cost(context))
    assert f"{sections['rules']['ours']['second_ms']:.2f} ms" in shown
    for name in ("rules", "rules_young", "rules_newer"):
        section = sections[name]
        one_pass = units.percent(section["ours"]["pass_ms"] / section["sloth"]["pass_ms"], 0).replace("\u00a0", " ")
        assert (
            f"{one_pass} of the time of Sloth\u2019s 17, on Prometheus {section['prometheus']}"
            f" with {section['history_days']:g} days of history" in shown
        )
    del sections["rules_young"]
    figures.write_text(json.dumps({"sections": sections}))
    with pytest.raises(LabError, match=r"'rules_young'; run `python -m scripts.bench_rules .* --section rules_young`"):
        benchmarks.rule_cost(context)
    figures.unlink()
    with pytest.raises(
        LabError, match=r"docs/figures/bench.json holds no figures of 'rules'; run `python -m scripts.bench_rules "
    ):
        benchmarks.rule_cost(context)


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda section: section["ours"].pop("pass_ms"), r"missing required field `pass_ms` - at `\$.ours`"),
        (lambda section: section.update(ratio="low"), r"Expected `float`, got `str` - at `\$.ratio`"),
    ],
)
def test_an_invalid_figure_is_named_with_the_command_that_measures_it(
    context: SiteContext, spoil: Callable[[dict[str, Any]], object], named: str
) -> None:
    figures = context.docs / "figures" / "bench.json"
    document = json.loads(figures.read_text())
    spoil(document["sections"]["rules"])
    figures.write_text(json.dumps(document))
    with pytest.raises(LabError, match=rf"docs/figures/bench.json, section 'rules': .*{named}; run `python -m scripts"):
        benchmarks.rule_cost(context)


def test_a_page_without_a_budgeted_figure_is_named(context: SiteContext) -> None:
    figures = context.docs / "figures" / "bench.json"
    document = json.loads(figures.read_text())
    del document["sections"]["site"]["pages"]["lab/"]["cls"]
    figures.write_text(json.dumps(document))
    with pytest.raises(LabError, match=r"section 'site': pages/lab/ has no 'cls'; run `python -m scripts.bench_site "):
        benchmarks.site_figures(context)


def test_the_sites_figures_are_shown_with_their_bounds_and_the_load_of_the_machine(
    context: SiteContext,
) -> None:
    file = context.docs / "figures" / "bench.json"
    page = dict.fromkeys(("performance", "accessibility", "best-practices", "seo"), 100) | {
        "lcp_seconds": 1.25, "tbt_seconds": 0.05, "cls": 0.006, "load_bytes": 107_818,
    }  # fmt: skip
    section = {
        "lighthouse": "1.2.3",
        "runs": 3,
        "load_average": 4.5,
        "build_seconds": 6.5,
        "pages": {"index": page, "lab/": page | {"load_bytes": 141_492}, "03_runbooks/": page | {"tbt_seconds": 0.21}},
    }
    write_section(file, "site", section)
    shown = text(benchmarks.site_figures(context))
    assert re.search(r"first load of a page, compressed\s+108 kB\s+at most 150 kB", shown)
    assert re.search(r"with its record\s+141 kB\s+at most 400 kB", shown)
    assert "load average 4.5 beforehand. Out of bounds: total blocking time of 03_runbooks/ (0.21 s)." in shown


def test_the_memory_of_every_process_is_the_measured_one(context: SiteContext) -> None:
    file = context.docs / "figures" / "bench.json"
    row = {"start_mib": 50.2, "half_mib": 55.5, "end_mib": 55.6, "peak_mib": 61.4,
        "slope_mib_per_hour": 3.4, "private_slope_mib_per_hour": -0.24,
    }  # fmt: skip
    section = {
        "minutes": 120.1,
        "drills": {"INC-001": "passed", "INC-007": "status 1", "INC-009": "status 3"},
        "prometheus": "3.5.3",
        "out_of_bounds": ["gateway grew by 3 MiB an hour over the second half"],
        "processes": {"gateway": row, "total": row | {"peak_mib": 901.0}},
    }
    write_section(file, "soak", section)
    shown = text(benchmarks.soak_table(context))
    assert re.search(
        r"gateway\s+50\s+56\s+56\s+61\s+\+3.4\s+\u22120.2\s+total\s+50\s+56\s+56\s+901\s+\+3.4\s+\u22120.2", shown
    )
    assert (
        "120 minutes of default traffic, drills in the first quarter: INC-001 passed, INC-007 failed, INC-009 void."
        in shown
    )
    assert "Out of bounds: gateway grew by 3 MiB an hour over the second half." in shown
    file.write_text(json.dumps({"sections": {}}))
    with pytest.raises(LabError, match=r"holds no figures of 'soak'; run `make soak`"):
        benchmarks.soak_table(context)
