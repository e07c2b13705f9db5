"""The built site in a headless Chromium: Lighthouse on a phone, weight on the wire, and the time of the strict build.

    python -m scripts.bench_site [--runs 3] [--page lab/] [--record FILE] [--json]

The medians of some runs of each page in the light scheme; in the dark one, which has other colours and is else the
same, one run for what does not depend on time. Lighthouse makes a phone of this machine by slowing it four times, which
is too much while the machine is slow itself (its benchmark index says so): such runs are repeated. The exit status is 1
when a page misses a bound. The programs come from the npm registry by tests/docs/web/package-lock.json, and axe's rules
are a test of `make test`.
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
TIMELESS = ("accessibility", "best-practices", "seo")
CATEGORIES = ("performance", *TIMELESS)
MIN_INDEX = 1500  # Lighthouse's docs/throttling.md: four times slower is a phone from here on
SLOW_RUNS = 6  # so many more a page, before those at the machine's fastest must do
DARK = "--blink-settings=preferredColorScheme=0"
TIMINGS = {
    "lcp_seconds": ("largest-contentful-paint", 1000),
    "cls": ("cumulative-layout-shift", 1),
    "tbt_seconds": ("total-blocking-time", 1000),
    "load_bytes": ("total-byte-weight", 1),
}


def measure(runs: int, only: Sequence[str] = ()) -> dict[str, Any]:
    """Build, serve and measure."""
    if chromium.program() is None:
        raise ToolError("no Chromium on PATH; on Debian: apt-get install chromium")
    modules = npm.packages(WEB, dev=True)
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        load = os.getloadavg()[0]
        seconds = round(_build(site), 1)
        every = [
            "" if f.parent == site else f"{f.parent.relative_to(site).as_posix()}/" for f in site.rglob("index.html")
        ]
        with serve(site) as url:
            pages = {name or "index": _page(modules, f"{url}/{name}", runs) for name in only or sorted(every)}
    return {
        "lighthouse": json.loads((modules / "lighthouse" / "package.json").read_text())["version"],
        "runs": runs,
        "load_average": round(load, 1),
        "build_seconds": seconds,
        "pages": pages,
    }


def _build(site: Path) -> float:
    """Seconds of CPU that the strict build takes; on a machine with nothing else to do it lasts as long."""
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
    """The medians in the light scheme; of what does not depend on time the lesser of both schemes."""
    reports = _at_speed(lambda: _lighthouse(modules, url), runs)
    page = url.split("/", 3)[3] or "index"
    found: dict[str, float] = {
        name: round(statistics.median(_score(report, name) for report in reports)) for name in CATEGORIES
    }
    dark = _lighthouse(modules, url, TIMELESS, DARK)
    found |= {name: min(found[name], round(_score(dark, name))) for name in TIMELESS}
    for scheme, report in [*(("light", one) for one in reports), ("dark", dark)]:
        for name in TIMELESS:
            for audit in _failed(report, name):
                sys.stderr.write(f"{page} ({scheme}): {name}: {audit}\n")
    for name, (audit, divisor) in TIMINGS.items():
        values = [report["audits"][audit]["numericValue"] / divisor for report in reports]
        found[name] = round(statistics.median(values), 4)
    found["benchmark_index"] = round(min(_index(report) for report in reports))
    sys.stderr.write(f"{page:<52} {found}\n")
    return found


def _at_speed(run: Callable[[], dict[str, Any]], runs: int) -> list[dict[str, Any]]:
    """`runs` reports of a machine with MIN_INDEX; those with the highest index when it is slow for too long."""
    reports: list[dict[str, Any]] = []
    fast = 0
    while fast < runs and len(reports) < runs + SLOW_RUNS:
        reports.append(run())
        fast += _index(reports[-1]) >= MIN_INDEX
    return sorted(reports, key=_index)[-runs:]


def _index(report: dict[str, Any]) -> float:
    """How fast this machine was during the run, by Lighthouse's own measure."""
    return float(report["environment"]["benchmarkIndex"])


def _score(report: dict[str, Any], category: str) -> float:
    """Of 100."""
    return float(report["categories"][category]["score"] * 100)


def _failed(report: dict[str, Any], category: str) -> list[str]:
    """What kept a report from the whole of a category's score: the audit, and the first thing it found."""
    found = []
    for part in report["categories"][category]["auditRefs"]:
        audit = report["audits"][part["id"]]
        if part["weight"] and audit["score"] is not None and audit["score"] < 1:
            items = audit.get("details", {}).get("items", [])
            found.append(f"{audit['id']}: {json.dumps(items[0])[:300] if items else audit['title']}")
    return found


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
    """Print the figures; 0 when they keep their bounds."""
    parser = argparse.ArgumentParser(prog="bench_site", description="The built site on a phone.")
    parser.add_argument("--runs", type=int, default=3, help="Lighthouse runs a page in the light scheme")
    parser.add_argument("--page", action="append", default=[], help="only this page, for example lab/")
    parser.add_argument("--record", type=Path, help="the JSON file that keeps the figures")
    parser.add_argument("--json", action="store_true", help="one object instead of lines")
    options = parser.parse_args(arguments)
    try:
        found = measure(options.runs, options.page)
        if options.record and not options.page:
            write_section(options.record, "site", found)
    except LabError as error:
        sys.stderr.write(f"bench_site: {error}\n")
        return error.exit_status
    out = budgets.missed(found)
    worst = budgets.worst(found["pages"]) | {budgets.BUILD.figure: found[budgets.BUILD.figure]}
    lines = [f"{name:<16} {value:g}" for name, value in worst.items()]
    sys.stdout.write((json.dumps(found, indent=1) if options.json else "\n".join(lines)) + "\n")
    for page, bound, value in out:
        sys.stderr.write(f"bench_site: {page or 'site'}: {bound.title} {bound.words(value)}, {bound.limit}\n")
    return 1 if out else 0


if __name__ == "__main__":
    sys.exit(main())
