"""Measures the built site in a headless Chromium: Lighthouse on a phone, axe in both schemes, weights, build time.

    python scripts/measure_site.py            prints the figures and keeps them in docs/data/site_figures.json
    python scripts/measure_site.py --runs 1   one Lighthouse run a page instead of the median of three; keeps nothing

Nothing here is part of the site: the programs come from the npm registry by tests/docs/web/package-lock.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "docs")]

import chromium  # type: ignore[import-not-found]  # noqa: E402 - the tests' own browser
from published import serve  # type: ignore[import-not-found]  # noqa: E402 - and their server

from lab.site import scripts  # noqa: E402

WEB = ROOT / "tests" / "docs" / "web"
FIGURES = ROOT / "docs" / "data" / "site_figures.json"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
TIMINGS = {
    "lcp_seconds": ("largest-contentful-paint", 1000),
    "cls": ("cumulative-layout-shift", 1),
    "tbt_seconds": ("total-blocking-time", 1000),
    "first_load_bytes": ("total-byte-weight", 1),
}
FLAGS = "--chrome-flags=--headless=new --no-sandbox --disable-gpu"


def main() -> None:
    """Build, serve, measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="Lighthouse runs a page (default: %(default)s)")
    parser.add_argument("--page", action="append", help="only this page, for example lab/ (default: every page)")
    chosen = parser.parse_args()
    if chromium.program() is None:
        parser.exit(1, "measure_site: no Chromium on PATH; on Debian: apt-get install chromium\n")
    modules = scripts.packages(WEB, dev=True)
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        started = time.monotonic()
        build(site)
        seconds = round(time.monotonic() - started, 1)
        names = chosen.page or [
            "" if file.parent == site else f"{file.parent.relative_to(site).as_posix()}/"
            for file in sorted(site.rglob("index.html"))
        ]
        with serve(site) as url:
            pages = {name: measured(modules, f"{url}/{name}", chosen.runs) for name in names}
    figures = {
        "measured_at": datetime.now(UTC).isoformat(timespec="minutes").replace("+00:00", "Z"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "lighthouse": version(modules, "lighthouse"),
        "runs": chosen.runs,
        "build_seconds": seconds,
        "pages": pages,
    }
    show(figures)
    if chosen.runs >= 3 and not chosen.page:
        FIGURES.parent.mkdir(exist_ok=True)
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")


def build(site: Path) -> None:
    """The strict build, as published."""
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)],
        cwd=ROOT, check=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip


def measured(modules: Path, url: str, runs: int) -> dict[str, float]:
    """The medians of one page: scores of 0 to 100, timings in seconds, bytes over the wire."""
    reports = [lighthouse(modules, url) for _ in range(runs)]
    found = {
        name: round(statistics.median(report["categories"][name]["score"] for report in reports) * 100)
        for name in CATEGORIES
    }
    figures: dict[str, float] = dict(found)
    for name, (audit, divisor) in TIMINGS.items():
        values = [report["audits"][audit]["numericValue"] / divisor for report in reports]
        figures[name] = round(statistics.median(values), 4)
    failed = [
        f"{audit} {about['score']}"
        for audit, about in reports[-1]["audits"].items()
        if about["score"] is not None
        and about["score"] < 0.9
        and about["scoreDisplayMode"] in ("binary", "metricSavings")
    ]
    print(f"{url.split('/', 3)[3] or 'index':<50} {figures} {' '.join(failed)}", file=sys.stderr, flush=True)  # noqa: T201 - progress
    return figures


def lighthouse(modules: Path, url: str) -> dict[str, Any]:
    """One report."""
    program = modules / "lighthouse" / "cli" / "index.js"
    only = f"--only-categories={','.join(CATEGORIES)}"
    done = subprocess.run(
        [scripts.node(), str(program), url, "--output=json", "--quiet", FLAGS, only],
        env=os.environ | {"CHROME_PATH": str(chromium.program())},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"measure_site: lighthouse failed on {url}: {done.stderr.strip()[-300:]}")
    return dict(json.loads(done.stdout))


def version(modules: Path, package: str) -> str:
    """A package's version."""
    return str(json.loads((modules / package / "package.json").read_text())["version"])


def show(figures: dict[str, Any]) -> None:
    """The worst of all pages."""
    pages = figures["pages"].values()
    for name in CATEGORIES:
        print(f"{name:<18} {min(page[name] for page in pages)}")  # noqa: T201 - what was asked for
    for name in TIMINGS:
        print(f"{name:<18} {max(page[name] for page in pages)}")  # noqa: T201
    print(f"{'build_seconds':<18} {figures['build_seconds']}")  # noqa: T201


if __name__ == "__main__":
    main()
