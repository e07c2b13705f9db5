"""Measures time and memory of generating the rules of a thousand SLOs with the command, including its promtool check.

    python -m scripts.bench_generate [--slos 1000] [--record FILE] [--json]

The exit status is 1 when it takes 5 s or more, needs 300 MiB or more, or writes different bytes each time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import LabError, ToolError
from lab.paths import RULES
from scripts.figures import write_section

RUNS = 3
MAX_SECONDS = 5.0
MAX_BYTES = 300 * 2**20


def measure(count: int) -> dict[str, Any]:
    """Generate RUNS times. Returns minimum wall and CPU seconds, peak memory, and whether all outputs are identical."""
    head, body = (RULES / "slos" / "feed.yml").read_text(encoding="utf-8").split("slos:\n", 1)
    slo = body.split("  - name: latency-p95")[0]
    many = "".join(slo.replace("name: availability", f"name: availability-{number}", 1) for number in range(count))
    with tempfile.TemporaryDirectory(prefix="fleetops-bench-") as name:
        spec, out = Path(name) / "many.yml", Path(name) / "many.rules.yml"
        spec.write_text(f"{head}slos:\n{many}", encoding="utf-8")
        runs, hashes = [], set()
        for _ in range(RUNS):
            runs.append(_run(["slo", "generate", "--spec", str(spec), "--out", str(out)]))
            hashes.add(hashlib.sha256(out.read_bytes()).hexdigest())
    return {
        "slos": count,
        "seconds": min(run.seconds for run in runs),
        "cpu_seconds": min(run.cpu_seconds for run in runs),
        "peak_rss_bytes": max(run.peak_rss_bytes for run in runs),
        "stable": len(hashes) == 1,
    }


@dataclass(frozen=True)
class Run:
    """One run of the command, including promtool."""

    seconds: float
    cpu_seconds: float
    peak_rss_bytes: int  # of the larger of the two processes


def _run(arguments: Sequence[str]) -> Run:
    started = time.monotonic()
    child = os.posix_spawn(sys.executable, [sys.executable, "-m", "lab.cli.main", *arguments], os.environ)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        code = os.waitstatus_to_exitcode(status)
        raise ToolError(f"`fleetops {arguments[0]} {arguments[1]}` failed with exit status {code}")
    return Run(time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures. Returns 0 if they are within the limits."""
    parser = argparse.ArgumentParser(prog="bench_generate", description="Measure generating the rules of many SLOs.")
    parser.add_argument("--slos", type=int, default=1000, help="number of SLOs (1000)")
    parser.add_argument("--record", type=Path, help="JSON file to store the figures in")
    parser.add_argument("--json", action="store_true", help="print a JSON object instead of a line")
    options = parser.parse_args(arguments)
    try:
        figures = measure(options.slos)
        if options.record:
            write_section(options.record, "generate", figures)
    except LabError as error:
        sys.stderr.write(f"bench_generate: {error}\n")
        return error.exit_status
    stable = "identical output" if figures["stable"] else "DIFFERENT output each time"
    duration = f"{figures['seconds']:.1f} s ({figures['cpu_seconds']:.1f} s of CPU)"
    line = f"{figures['slos']} SLOs in {duration} and {figures['peak_rss_bytes'] / 2**20:.0f} MiB, {stable}"
    sys.stdout.write((json.dumps(figures, indent=1) if options.json else line) + "\n")
    is_fast = figures["seconds"] < MAX_SECONDS and figures["peak_rss_bytes"] < MAX_BYTES
    return 0 if figures["stable"] and is_fast else 1


if __name__ == "__main__":
    sys.exit(main())
