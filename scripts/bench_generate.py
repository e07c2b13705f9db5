"""What generating the rules of a thousand SLOs takes, as the command does it: promtool reads the queries too.

    python -m scripts.bench_generate [--slos 1000] [--record FILE] [--json]

Exit status 1 when it takes 5 s or more, or 300 MiB or more.
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
    """Generate a few times: the least seconds and processor seconds, the peak memory, and whether the bytes are one."""
    head, body = (RULES / "slos" / "feed.yml").read_text(encoding="utf-8").split("slos:\n", 1)
    one = body.split("  - name: latency-p95")[0]
    many = "".join(one.replace("name: availability", f"name: availability-{number}", 1) for number in range(count))
    with tempfile.TemporaryDirectory(prefix="fleetops-bench-") as name:
        spec, out = Path(name) / "many.yml", Path(name) / "many.rules.yml"
        spec.write_text(f"{head}slos:\n{many}", encoding="utf-8")
        runs, written = [], set()
        for _ in range(RUNS):
            runs.append(_run(["slo", "generate", "--spec", str(spec), "--out", str(out)]))
            written.add(hashlib.sha256(out.read_bytes()).hexdigest())
    return {
        "slos": count,
        "seconds": min(run.seconds for run in runs),
        "cpu_seconds": min(run.cpu_seconds for run in runs),
        "peak_rss_bytes": max(run.peak_rss_bytes for run in runs),
        "stable": len(written) == 1,
    }


@dataclass(frozen=True)
class Run:
    """One run of the command, promtool included."""

    seconds: float
    cpu_seconds: float
    peak_rss_bytes: int  # of the larger of the two processes


def _run(arguments: Sequence[str]) -> Run:
    started = time.monotonic()
    child = os.posix_spawn(sys.executable, [sys.executable, "-m", "lab.cli.main", *arguments], os.environ)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        raise ToolError(f"fleetops {arguments[0]} {arguments[1]} ended with {os.waitstatus_to_exitcode(status)}")
    return Run(time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; 0 when they keep their bounds."""
    parser = argparse.ArgumentParser(prog="bench_generate", description="Generating the rules of many SLOs.")
    parser.add_argument("--slos", type=int, default=1000, help="how many")
    parser.add_argument("--record", type=Path, help="the JSON file that keeps the figures")
    parser.add_argument("--json", action="store_true", help="one object instead of a line")
    options = parser.parse_args(arguments)
    try:
        found = measure(options.slos)
        if options.record:
            write_section(options.record, "generate", found)
    except LabError as error:
        sys.stderr.write(f"bench_generate: {error}\n")
        return error.exit_status
    stable = "the same bytes each time" if found["stable"] else "DIFFERENT bytes each time"
    took = f"{found['seconds']:.1f} s ({found['cpu_seconds']:.1f} s of processor)"
    line = f"{found['slos']} SLOs in {took} and {found['peak_rss_bytes'] / 2**20:.0f} MiB, {stable}"
    sys.stdout.write((json.dumps(found, indent=1) if options.json else line) + "\n")
    return 0 if found["stable"] and found["seconds"] < MAX_SECONDS and found["peak_rss_bytes"] < MAX_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
