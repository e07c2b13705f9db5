"""Measures how much database load single-flight saves during cache stampedes: repeated flushes without and with it.

    python -m scripts.bench_single_flight [--record FILE] [--json]

Needs a running lab (`fleetops up --detach`) that nobody else uses. A few clients request their feeds very often, so
that many requests miss the same feed at once; the cache is flushed every few seconds. All settings are restored at the
end. The exit status is 1 unless the peak rate of feeds built is at least three times as high without single-flight as
with it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab import names
from lab.control import actions
from lab.control.lab_clients import LabClients
from lab.drills.faults import FaultContext
from lab.errors import LabError
from lab.slo.query import builders
from scripts.figures import write_section

PEOPLE, PEOPLES_RATE, USUAL_RATE = 4, 180.0, 2.0
FLUSH_SECONDS, WATCHED_SECONDS, SETTLE_SECONDS = 4.0, 24, 12.0
MIN_RATIO = 3.0
_OPERATIONS = f"{names.DB_OPERATION_DURATION}_count"
_BUILT = builders.rate(_OPERATIONS, "3s", 'job="feed",db_operation_name="feed.rank"')
_ALL = builders.rate(_OPERATIONS, "3s", 'job="feed"')


def measure(clients: LabClients) -> dict[str, Any]:
    """Feeds built and database operations per second, peak and mean, without and with single-flight."""
    context = FaultContext(clients)
    rate, flag = context.traffic.rate(), actions.flags(clients)["single-flight"].enabled
    try:
        context.traffic.set_rate(USUAL_RATE)
        context.traffic.set_extra("crowd", PEOPLES_RATE, PEOPLE)
        figures = {name: _flushed(context, on) for name, on in (("without", False), ("with", True))}
    finally:
        context.traffic.set_extra("crowd", 0)
        context.traffic.set_rate(rate)
        actions.set_flag(clients, "single-flight", flag, "the measurement is over")
    return {"people": PEOPLE, "requests_per_second": PEOPLES_RATE, "flush_seconds": FLUSH_SECONDS, **figures}


def _flushed(context: FaultContext, single_flight: bool) -> dict[str, float]:
    actions.set_flag(context.clients, "single-flight", single_flight, "to measure its effect")
    time.sleep(SETTLE_SECONDS)
    end = time.monotonic() + WATCHED_SECONDS
    with context.cache() as cache:
        while time.monotonic() < end:
            cache.flushall()
            time.sleep(FLUSH_SECONDS)
    number, figures = context.clients.prometheus.number, {}
    for name, query in (("pages", _BUILT), ("operations", _ALL)):
        for figure, over in (("peak", "max_over_time"), ("mean", "avg_over_time")):
            figures[f"{name}_{figure}"] = round(number(f"{over}(({query})[{WATCHED_SECONDS}s:1s])") or 0.0, 1)
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures. Returns 0 if single-flight reduces the peak by MIN_RATIO."""
    parser = argparse.ArgumentParser(
        prog="bench_single_flight", description="Measure how much database load single-flight saves."
    )
    parser.add_argument("--record", type=Path, help="JSON file to store the figures in")
    parser.add_argument("--json", action="store_true", help="print a JSON object instead of lines")
    options = parser.parse_args(arguments)
    try:
        figures = measure(LabClients.here("bench"))
        if options.record:
            write_section(options.record, "single_flight", figures)
    except LabError as error:
        sys.stderr.write(f"bench_single_flight: {error}\n")
        return error.exit_status
    if options.json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        for name in ("without", "with"):
            row = figures[name]
            sys.stdout.write(
                f"{name} single-flight: {row['pages_mean']:g} feeds built per second, peak {row['pages_peak']:g};"
                f" {row['operations_mean']:g} database operations per second, peak {row['operations_peak']:g}\n"
            )
    return int(figures["without"]["pages_peak"] < MIN_RATIO * figures["with"]["pages_peak"])


if __name__ == "__main__":
    sys.exit(main())
