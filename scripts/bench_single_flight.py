"""What single-flight takes from the DB when a cache is emptied again and again: the same flushes without and with it.

    python -m scripts.bench_single_flight [--record FILE] [--json]

Needs a lab that runs (`fleetops up --detach`) and nobody else on it. Few people ask for their feeds very often, so that
many requests miss the same page at once; the cache is flushed every few seconds. Everything is put back at the end.
A stampede is a peak: exit status 1 when the DB does not make three times as many pages in its worst seconds without
single-flight as with it.
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
from scripts.figures import write_section

PEOPLE, PEOPLES_RATE, USUAL_RATE = 4, 180.0, 2.0
FLUSH_SECONDS, WATCHED_SECONDS, SETTLE_SECONDS = 4.0, 24, 12.0
MIN_RATIO = 3.0
_MADE = f'sum(rate({names.DB_OPERATION_DURATION}_count{{job="feed",db_operation_name="feed.rank"}}[3s]))'
_ALL = f'sum(rate({names.DB_OPERATION_DURATION}_count{{job="feed"}}[3s]))'


def measure(clients: LabClients) -> dict[str, Any]:
    """Pages the DB makes and operations it does, a second, peak and mean, without single-flight and with it."""
    context = FaultContext(clients)
    rate, flag = context.traffic.rate(), actions.flags(clients)["single-flight"].enabled
    try:
        context.traffic.set_rate(USUAL_RATE)
        context.traffic.set_extra("crowd", PEOPLES_RATE, PEOPLE)
        found = {name: _flushed(context, on) for name, on in (("without", False), ("with", True))}
    finally:
        context.traffic.set_extra("crowd", 0)
        context.traffic.set_rate(rate)
        actions.set_flag(clients, "single-flight", flag, "the measurement is over")
    return {"people": PEOPLE, "requests_per_second": PEOPLES_RATE, "flush_seconds": FLUSH_SECONDS, **found}


def _flushed(context: FaultContext, single_flight: bool) -> dict[str, float]:
    actions.set_flag(context.clients, "single-flight", single_flight, "to measure what it is worth")
    time.sleep(SETTLE_SECONDS)
    end = time.monotonic() + WATCHED_SECONDS
    with context.cache() as cache:
        while time.monotonic() < end:
            cache.flushall()
            time.sleep(FLUSH_SECONDS)
    ask, found = context.clients.prometheus.number, {}
    for name, query in (("pages", _MADE), ("operations", _ALL)):
        for figure, over in (("peak", "max_over_time"), ("mean", "avg_over_time")):
            found[f"{name}_{figure}"] = round(ask(f"{over}(({query})[{WATCHED_SECONDS}s:1s])") or 0.0, 1)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; 0 when single-flight is worth what it must be."""
    parser = argparse.ArgumentParser(prog="bench_single_flight", description="What single-flight takes from the DB.")
    parser.add_argument("--record", type=Path, help="the JSON file that keeps the figures")
    parser.add_argument("--json", action="store_true", help="one object instead of lines")
    options = parser.parse_args(arguments)
    try:
        found = measure(LabClients.here("bench"))
        if options.record:
            write_section(options.record, "single_flight", found)
    except LabError as error:
        sys.stderr.write(f"bench_single_flight: {error}\n")
        return error.exit_status
    if options.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        for name in ("without", "with"):
            row = found[name]
            sys.stdout.write(
                f"{name} single-flight: {row['pages_mean']:g} pages made a second, at most {row['pages_peak']:g};"
                f" {row['operations_mean']:g} DB operations a second, at most {row['operations_peak']:g}\n"
            )
    return int(found["without"]["pages_peak"] < MIN_RATIO * found["with"]["pages_peak"])


if __name__ == "__main__":
    sys.exit(main())
