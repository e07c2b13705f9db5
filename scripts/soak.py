"""Soak test for memory: every process of a lab under default traffic, with five drills in the first quarter.

    python -m scripts.soak [--minutes N] [--record FILE] [--json]

The lab is separate, in a temporary directory and on its own ports (`--port-base`), so another lab can run at the same
time. The exit status is 1 when the total RSS exceeds 1 GiB, or when the private memory of a process grows by more than
2 MiB per hour over the second half. Private memory leaves out shared memory, whose size is fixed (PostgreSQL's
buffers), and mapped files, whose pages the kernel can drop (Prometheus's blocks). Ctrl-C stops the lab and prints the
results so far.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lab.errors import LabError
from lab.site.sources.benchmarks import ProcessMemory
from lab.stack.tools import binaries
from scripts.figures import write_section
from scripts.separate_lab import Lab

DRILLS = ("INC-001", "INC-003", "INC-004", "INC-007", "INC-011")
SAMPLE_SECONDS = 15.0
STATUS_SECONDS = 60.0
# Above the noise of single memory pages and arenas; a real leak exceeds this.
MAX_SLOPE_MIB_PER_HOUR = 2.0
MAX_TOTAL_MIB = 1024.0
TOTAL = "total"
# The table shows medians of this many samples, because a single one may coincide with a garbage collection.
MEDIAN_SAMPLES = 9


@dataclass(frozen=True)
class Sample:
    """RSS and private memory in MiB of each process, and of all as `total`, `seconds` after the lab was ready."""

    seconds: float
    rss_mib: dict[str, float]
    private_mib: dict[str, float]


def slope_per_hour(points: Sequence[tuple[float, float]]) -> float:
    """Theil-Sen estimator, the median slope of all pairs: a single restart or garbage collection does not change it.

    Points are (seconds, value); at most 120 evenly spaced ones are used. 0 for fewer than two.
    """
    points = points[:: max(1, -(-len(points) // 120))]
    slopes = sorted(
        (later[1] - earlier[1]) / (later[0] - earlier[0]) * 3600
        for index, earlier in enumerate(points)
        for later in points[index + 1 :]
        if later[0] > earlier[0]
    )
    return _median(slopes)


def memory(samples: Sequence[Sample]) -> dict[str, ProcessMemory]:
    """One row for each process that exists at the end, and `total`.

    The start is that of the process's own first samples. Raises LabError without samples.
    """
    if not samples:
        raise LabError("the lab stopped before the first sample")
    second = [sample for sample in samples if sample.seconds >= samples[-1].seconds / 2]
    return {
        process: ProcessMemory(
            start_mib=round(_level(samples, process), 1),
            half_mib=round(_level(second, process), 1),
            end_mib=round(_level(samples[::-1], process), 1),
            peak_mib=round(max(sample.rss_mib.get(process, 0.0) for sample in samples), 1),
            slope_mib_per_hour=round(
                slope_per_hour([(at.seconds, at.rss_mib[process]) for at in second if process in at.rss_mib]), 2
            ),
            private_slope_mib_per_hour=round(
                slope_per_hour([(at.seconds, at.private_mib[process]) for at in second if process in at.private_mib]), 2
            ),
        )
        for process in samples[-1].rss_mib
    }


def out_of_bounds(processes: Mapping[str, ProcessMemory]) -> list[str]:
    """A sentence for each limit that the figures exceed."""
    exceeded = [
        f"{process} grew by {row.private_slope_mib_per_hour:g} MiB of private memory per hour over the second half"
        for process, row in processes.items()
        if process != TOTAL and row.private_slope_mib_per_hour > MAX_SLOPE_MIB_PER_HOUR
    ]
    if processes[TOTAL].peak_mib > MAX_TOTAL_MIB:
        exceeded.append(f"the total reached {processes[TOTAL].peak_mib:g} MiB, more than {MAX_TOTAL_MIB:g}")
    return exceeded


def _level(samples: Sequence[Sample], process: str) -> float:
    """The median RSS of a process's first samples."""
    levels = [sample.rss_mib[process] for sample in samples if process in sample.rss_mib]
    return _median(sorted(levels[:MEDIAN_SAMPLES]))


def _median(ordered: Sequence[float]) -> float:
    return ordered[len(ordered) // 2] if ordered else 0.0


class SoakLab(Lab):
    """The lab under test."""

    def drill(self, ident: str) -> subprocess.Popen[bytes]:
        """Start a drill without waiting for it; its output is discarded."""
        return subprocess.Popen(
            [self.program, "drill", "run", ident], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def sample(self, seconds: float) -> Sample | None:
        """The current RSS of every process; None when `fleetops status` reports none."""
        answer = self.run("status", "--json", seconds=STATUS_SECONDS)
        with suppress(ValueError, KeyError):
            status = json.loads(answer.stdout)
            if rows := status["processes"]:
                rss, private = (
                    {row["name"]: row[key] / 2**20 for row in rows} for key in ("rss_bytes", "private_bytes")
                )
                rss[TOTAL], private[TOTAL] = sum(rss.values()), sum(private.values())
                return Sample(seconds, rss, private)
        return None


def watch(lab: SoakLab, minutes: float, drills: Sequence[str]) -> tuple[list[Sample], dict[str, str]]:
    """Samples over `minutes`, and the result of each drill; the drills are spread over the first quarter."""
    started, samples, results = time.monotonic(), [], dict[str, str]()
    due = [(minutes * 60 * (number + 0.5) / (4 * len(drills)), ident) for number, ident in enumerate(drills)]
    running: tuple[str, subprocess.Popen[bytes]] | None = None
    with suppress(KeyboardInterrupt):
        while (now := time.monotonic() - started) <= minutes * 60:
            if running and running[1].poll() is not None:
                results[running[0]] = "passed" if running[1].returncode == 0 else f"status {running[1].returncode}"
                running = None
            if due and running is None and now >= due[0][0]:
                ident = due.pop(0)[1]
                running = ident, lab.drill(ident)
            if sample := lab.sample(now):
                samples.append(sample)
                _progress(sample, minutes, running[0] if running else "")
            time.sleep(max(0.0, SAMPLE_SECONDS - (time.monotonic() - started - now)))
    return samples, results


def _progress(sample: Sample, minutes: float, drill: str) -> None:
    left = max(0.0, minutes - sample.seconds / 60)
    sys.stderr.write(f"\rsoak: {sample.rss_mib[TOTAL]:5.0f} MiB in total, {left:5.1f} min left {drill:8}")
    sys.stderr.flush()


def table(processes: Mapping[str, ProcessMemory]) -> str:
    """The figures as a table for a terminal."""
    lines = [
        f"{'':14} {'RSS in MiB':>31}   {'MiB/h, second half':>18}",
        f"{'process':14} {'start':>7} {'half':>7} {'end':>7} {'peak':>7}   {'RSS':>8}  {'private':>8}",
    ]
    lines += [
        f"{process:14} {row.start_mib:7.1f} {row.half_mib:7.1f} {row.end_mib:7.1f} {row.peak_mib:7.1f}"
        f"   {row.slope_mib_per_hour:+8.2f}  {row.private_slope_mib_per_hour:+8.2f}"
        for process, row in processes.items()
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table. Returns 0 if both limits hold."""
    parser = argparse.ArgumentParser(
        prog="soak",
        description="RSS of every process of a lab under default traffic, with five drills in the first quarter.",
        epilog="example: python -m scripts.soak --minutes 120 --record docs/figures/bench.json",
    )
    parser.add_argument("--minutes", type=float, default=120.0, help="duration of the soak (120)")
    parser.add_argument("--port-base", type=int, default=8400, help="first port of the lab that is started (8400)")
    parser.add_argument("--record", type=Path, help="JSON file to store the figures in")
    parser.add_argument("--json", action="store_true", help="print a JSON object instead of a table")
    options = parser.parse_args(arguments)
    if options.minutes <= 0:
        parser.error(f"--minutes {options.minutes:g}: must be above 0")
    try:
        version = binaries.ensure(lambda text: print(text, file=sys.stderr))["prometheus"].version  # noqa: T201
        with tempfile.TemporaryDirectory(prefix="fleetops-soak-") as folder:
            lab = SoakLab(Path(folder), options.port_base)
            with lab.up():
                samples, drills = watch(lab, options.minutes, DRILLS)
        processes = memory(samples)
        exceeded = out_of_bounds(processes)
        result = {
            "minutes": round(samples[-1].seconds / 60, 1), "samples": len(samples),
            "drills": drills, "prometheus": version,
            "processes": msgspec.to_builtins(processes), "out_of_bounds": exceeded,
        }  # fmt: skip
        if options.record:
            write_section(options.record, "soak", result)
    except LabError as error:
        sys.stderr.write(f"\nsoak: {error}\n")
        return error.exit_status
    sys.stdout.write(json.dumps(result) if options.json else f"\n{table(processes)}")
    sys.stdout.write("".join(f"\nout of bounds: {sentence}" for sentence in exceeded) + "\n")
    return int(bool(exceeded))


if __name__ == "__main__":
    sys.exit(main())
