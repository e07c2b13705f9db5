"""Reads Sloth `AlertWindows`. Rejects windows that cannot work.

Two settings that Sloth does not need are annotations: `fleetops/scrape-interval` (default 15s) and
`fleetops/time-factor` (default 1; the lab's profile runs 60 times faster than production).
"""

from __future__ import annotations

import re
from pathlib import Path

from lab.slo.model import SEVERITIES, Tier, Windows
from lab.slo.specs.document import Node, read_document
from lab.slo.specs.fields import read_seconds

API_VERSION = "sloth.slok.dev/v1"
KIND = "AlertWindows"
SCRAPE_INTERVAL = "fleetops/scrape-interval"
TIME_FACTOR = "fleetops/time-factor"
MIN_SCRAPES = 4  # a rate over fewer samples is mostly extrapolation


def read_windows(path: Path) -> Windows:
    """The alert windows in a file of one document. Raises SpecError."""
    return _windows(read_document(path, first_key="apiVersion"), path.stem)


def _windows(document: Node, default_name: str) -> Windows:
    top = document.mapping("apiVersion", "kind", "metadata", "spec", required=("apiVersion", "kind", "spec"))
    for key, expected in (("apiVersion", API_VERSION), ("kind", KIND)):
        if top[key].value != expected:
            raise top[key].refuse(f"{top[key].value!r} is not supported; write {expected}")
    name, scrape, factor = _metadata(top.get("metadata"), default_name)
    spec = top["spec"].mapping("sloPeriod", "page", "ticket", required=("sloPeriod", "page", "ticket"))
    period = read_seconds(spec["sloPeriod"])
    tiers = []
    for severity in SEVERITIES:
        speeds = spec[severity].mapping("quick", "slow", required=("quick", "slow"))
        tiers += [_tier(speeds[speed], severity, speed, period, scrape) for speed in ("quick", "slow")]
    return Windows(name, period, scrape, factor, tuple(tiers))


def _metadata(node: Node | None, default_name: str) -> tuple[str, int, int]:
    members = node.mapping("name", "annotations") if node else {}
    name = members["name"].text() if "name" in members else default_name
    notes = members["annotations"].mapping(SCRAPE_INTERVAL, TIME_FACTOR) if "annotations" in members else {}
    scrape = read_seconds(notes[SCRAPE_INTERVAL]) if SCRAPE_INTERVAL in notes else 15
    factor = notes[TIME_FACTOR].text() if TIME_FACTOR in notes else "1"
    if not re.fullmatch(r"[1-9][0-9]{0,5}", factor):
        raise notes[TIME_FACTOR].refuse(f"{factor!r} must be a whole number from 1 to 999999")
    return name, scrape, int(factor)


def _tier(node: Node, severity: str, speed: str, period: int, scrape: int) -> Tier:
    keys = ("errorBudgetPercent", "shortWindow", "longWindow")
    members = node.mapping(*keys, required=keys)
    percent = members["errorBudgetPercent"].number()
    if not 0 < percent <= 100:
        raise members["errorBudgetPercent"].refuse(f"{percent:g} must be above 0 and at most 100")
    short, long = read_seconds(members["shortWindow"]), read_seconds(members["longWindow"])
    if short >= long:
        raise members["shortWindow"].refuse(f"{short} s must be shorter than longWindow ({long} s)")
    if long > period:
        raise members["longWindow"].refuse(f"{long} s must not exceed sloPeriod ({period} s)")
    if short < MIN_SCRAPES * scrape:
        raise members["shortWindow"].refuse(
            f"{short} s holds fewer than {MIN_SCRAPES} scrapes of {scrape} s; widen the window or scrape more often"
        )
    # Rounded, so that 2 % of 30 days over 1 hour is 14.4 and not 14.399999999999999.
    factor = float(f"{percent * period / long / 100:.12g}")
    return Tier(severity, speed, percent / 100, short, long, factor)
