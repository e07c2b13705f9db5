"""Measures the built site in a headless Chromium: Lighthouse with mobile emulation, transfer sizes, and build time.

    python -m scripts.bench_site [--runs 3] [--page lab/] [--record FILE] [--json]

Figures are medians of several runs of each page in the light scheme, and one run in the dark scheme, which differs in
colours only, for the categories that do not depend on time. Lighthouse emulates a phone by slowing the CPU four times,
which is too much while the machine is busy: runs with a low benchmark index are repeated. The exit status is 1 when a
page exceeds a budget. The programs come from the npm registry as locked in tests/docs/web/package-lock.json; axe's
rules are tested by `make test`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lab.errors import LabError, ToolError
from lab.paths import ROOT
from lab.site.build import budgets, npm
from scripts.figures import write_section

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "docs")]

import chromium  # noqa: E402 - the tests' own browser
from published import serve  # noqa: E402 - and their server

WEB = ROOT / "tests" / "docs" / "web"
LIMIT_SECONDS = 180
TIMELESS = ("accessibility", "best-practices", "seo")  # categories whose score does not depend on time
CATEGORIES = ("performance", *TIMELESS)
MIN_INDEX = 1500  # benchmark index from which the 4x slowdown emulates a phone: Lighthouse's docs/throttling.md
MAX_REPEATS = 6  # repeated runs of a page, after which the runs with the highest index are used
DARK = "--blink-settings=preferredColorScheme=0"
TIMINGS = {
    "lcp_seconds": ("largest-contentful-paint", 1000),
    "cls": ("cumulative-layout-shift", 1),
    "tbt_seconds": ("total-blocking-time", 1000),
    "load_bytes": ("total-byte-weight", 1),
}


def measure(runs: int, only: Sequence[str] = ()) -> dict[str, Any]:
    """Build and serve the site, and measure its pages. Returns the section of bench.json. Raises ToolError."""
    if chromium.program() is None:
        raise ToolError("no Chromium on PATH; on Debian: apt-get install chromium")
    modules = npm.packages(WEB, dev=True)
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        load = os.getloadavg()[0]
        seconds = round(_build(site), 1)
        paths = [
            "" if f.parent == site else f"{f.parent.relative_to(site).as_posix()}/" for f in site.rglob("index.html")
        ]
        with serve(site) as url:
            pages = {path or "index": _page(modules, f"{url}/{path}", runs) for path in only or sorted(paths)}
    return {
        "lighthouse": json.loads((modules / "lighthouse" / "package.json").read_text())["version"],
        "runs": runs,
        "load_average": round(load, 1),
        "build_seconds": seconds,
        "pages": pages,
    }


def _build(site: Path) -> float:
    """CPU seconds of the strict build, which equal its duration on an idle machine."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)],
        cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ToolError("the site does not build; run 'make site'")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _page(modules: Path, url: str, runs: int) -> dict[str, float]:
    """Medians in the light scheme; for timeless categories the lower score of both schemes."""
    reports = _at_speed(lambda: _lighthouse(modules, url), runs)
    page = url.split("/", 3)[3] or "index"
    figures: dict[str, float] = {
        name: round(statistics.median(_score(report, name) for report in reports)) for name in CATEGORIES
    }
    dark = _lighthouse(modules, url, TIMELESS, DARK)
    figures |= {name: min(figures[name], round(_score(dark, name))) for name in TIMELESS}
    for scheme, report in [*(("light", light) for light in reports), ("dark", dark)]:
        for name in TIMELESS:
            for audit in _failed(report, name):
                sys.stderr.write(f"{page} ({scheme}): {name}: {audit}\n")
    for name, (audit, divisor) in TIMINGS.items():
        values = [report["audits"][audit]["numericValue"] / divisor for report in reports]
        figures[name] = round(statistics.median(values), 4)
    figures["benchmark_index"] = round(min(_index(report) for report in reports))
    sys.stderr.write(f"{page:<52} {figures}\n")
    return figures


def _at_speed(run: Callable[[], dict[str, Any]], runs: int) -> list[dict[str, Any]]:
    """`runs` reports with at least MIN_INDEX; after MAX_REPEATS repeats, those with the highest index."""
    reports: list[dict[str, Any]] = []
    fast = 0
    while fast < runs and len(reports) < runs + MAX_REPEATS:
        reports.append(run())
        fast += _index(reports[-1]) >= MIN_INDEX
    return sorted(reports, key=_index)[-runs:]


def _index(report: dict[str, Any]) -> float:
    """Lighthouse's own measure of the machine's speed during the run."""
    return float(report["environment"]["benchmarkIndex"])


def _score(report: dict[str, Any], category: str) -> float:
    """The score of a category, from 0 to 100."""
    return float(report["categories"][category]["score"] * 100)


def _failed(report: dict[str, Any], category: str) -> list[str]:
    """The audits that lowered a category's score, each with the first item that it reports."""
    failed = []
    for part in report["categories"][category]["auditRefs"]:
        audit = report["audits"][part["id"]]
        if part["weight"] and audit["score"] is not None and audit["score"] < 1:
            items = audit.get("details", {}).get("items", [])
            failed.append(f"{audit['id']}: {json.dumps(items[0])[:300] if items else audit['title']}")
    return failed


def _lighthouse(modules: Path, url: str, categories: Sequence[str] = CATEGORIES, *chrome_flags: str) -> dict[str, Any]:
    flags = " ".join(("--headless=new --no-sandbox --disable-gpu", *chrome_flags))
    words = [
        npm.node(), str(modules / "lighthouse" / "cli" / "index.js"), url, "--output=json", "--quiet",
        f"--chrome-flags={flags}", f"--only-categories={','.join(categories)}",
    ]  # fmt: skip
    chrome = os.environ | {"CHROME_PATH": str(chromium.program())}
    done = subprocess.run(words, env=chrome, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    if done.returncode:
        raise ToolError(f"Lighthouse failed on {url}: {done.stderr.strip()[-200:]}")
    return dict(json.loads(done.stdout))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures. Returns 0 if they are within the budgets."""
    parser = argparse.ArgumentParser(prog="bench_site", description="Measure the built site with Lighthouse.")
    parser.add_argument("--runs", type=int, default=3, help="Lighthouse runs per page in the light scheme (3)")
    parser.add_argument("--page", action="append", default=[], help="only this page, for example lab/")
    parser.add_argument("--record", type=Path, help="JSON file to store the figures in, unless --page is given")
    parser.add_argument("--json", action="store_true", help="print a JSON object instead of lines")
    options = parser.parse_args(arguments)
    try:
        figures = measure(options.runs, options.page)
        if options.record and not options.page:
            write_section(options.record, "site", figures)
    except LabError as error:
        sys.stderr.write(f"bench_site: {error}\n")
        return error.exit_status
    missed = budgets.missed(figures["pages"], figures["build_seconds"])
    worst = budgets.worst(figures["pages"], figures["build_seconds"])
    lines = [f"{name:<16} {value:g}" for name, value in worst.items()]
    sys.stdout.write((json.dumps(figures, indent=1) if options.json else "\n".join(lines)) + "\n")
    for page, bound, value in missed:
        sys.stderr.write(f"bench_site: {page or 'site'}: {bound.title} {bound.words(value)}, {bound.limit}\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
