"""Formats numbers for people, always with their unit."""

from __future__ import annotations

from datetime import UTC, datetime

from lab import names

NBSP = "\u00a0"  # keeps a number and its unit on one line
MINUS = "\u2212"
ABSENT = "\u2013"
BURN_RATE = "x budget"  # the unit of a burn rate in records
QUANTILE = "seconds of a quantile"  # known only to a bucket of its histogram


def seconds(value: float) -> str:
    """A duration: `0.4 s`, `17.4 s`, `3 min 36 s`, `2 h 5 min`, `1 d 12 h`; rounded before it is split into units."""
    if value < 0:
        return f"{MINUS}{seconds(-value)}"
    if value < 0.0005:
        return f"0{NBSP}s"
    if value < 1:
        return f"{value * 1000:.0f}{NBSP}ms" if value < 0.1 else f"{value:.2g}{NBSP}s"
    if value < 120:
        return f"{value:.1f}".rstrip("0").rstrip(".") + f"{NBSP}s"
    whole = round(value)
    if whole < 3600:
        return _pair(whole, 60, "min", 1, "s")
    whole = round(value / 60) * 60
    if whole < 172800:
        return _pair(whole, 3600, "h", 60, "min")
    return _pair(round(value / 3600) * 3600, 86400, "d", 3600, "h")


def tenths(value: float) -> str:
    """A measured duration, with the same precision as its neighbours in a column: `9.0 s` beside `22.7 s`."""
    return f"{value:.1f}{NBSP}s".replace("-", MINUS) if 0.1 <= abs(value) < 119.95 else seconds(value)


def offset(value: float) -> str:
    """Whole seconds before or after an instant, with their sign: `+5 s`. Zero has none."""
    whole = round(value)
    return f"{'+' if whole > 0 else MINUS if whole < 0 else ''}{abs(whole)}{NBSP}s"


def size(value: float) -> str:
    """Bytes as `512 B`, `3.0 kB` or `17.9 MB`."""
    for unit, scale in (("MB", 1e6), ("kB", 1e3)):
        if abs(value) >= scale:
            return f"{value / scale:.1f}{NBSP}{unit}"
    return f"{value:.0f}{NBSP}B"


def _pair(value: int, big: int, big_name: str, small: int, small_name: str) -> str:
    high, rest = divmod(value, big)
    low = rest // small
    left = f"{high}{NBSP}{big_name}"
    return f"{left}{NBSP}{low}{NBSP}{small_name}" if low else left


def percent(ratio: float, digits: int = 2) -> str:
    """A ratio from 0 to 1 as a percentage without trailing zeros: 0.9995 is `99.95 %`."""
    text = f"{ratio * 100:.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text}{NBSP}%"


def number(value: float | None) -> str:
    """A number with thin spaces between thousands; a dash for None."""
    if value is None:
        return ABSENT
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", "\u202f")
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.1f}"


def quantity(value: float | None, unit: str) -> str:
    """A sample with its unit. `seconds`, `ratio` and `bytes` are scaled for reading; any other unit is appended."""
    if value is None:
        return ABSENT
    if unit == QUANTILE:
        return bucket(value)
    if unit in {"seconds", "s"}:
        return f"{value * 1000:.0f}{NBSP}ms" if value < 1 else f"{value:.2f}{NBSP}s"
    if unit == "ratio":
        return percent(value)
    if unit == "bytes":
        return f"{value / 2**20:.0f}{NBSP}MiB"
    if unit == BURN_RATE:
        return f"{number(value)}x"
    return f"{number(value)}{NBSP}{unit}".strip() if unit not in {"", "1", "none"} else number(value)


def bucket(value: float) -> str:
    """A quantile of a latency histogram, in seconds, as the bucket that contains it, the resolution of a histogram."""
    edges = (0.0, *names.LATENCY_BUCKETS_SECONDS)
    above = next((edge for edge in edges[1:] if value <= edge), None)
    if above is None:
        return f"over {quantity(edges[-1], 'seconds')}"
    below = edges[edges.index(above) - 1]
    low, high = quantity(below, "seconds"), quantity(above, "seconds")
    same = low.rpartition(NBSP)[2] == high.rpartition(NBSP)[2] or not below
    return f"{low.rpartition(NBSP)[0] if same else low}\u2013{high}"


def exact(unit: str) -> str:
    """The unit of a signal's axis and objective, which are exact values even when the signal is a quantile."""
    return "seconds" if unit == QUANTILE else unit


def clock(stamp: str) -> str:
    """`2026-11-23T13:29:34.52Z` as `13:29:34.5`."""
    moment = parse(stamp)
    return f"{moment:%H:%M:%S}.{moment.microsecond // 100000}"


def day(stamp: str) -> str:
    """The date of a time stamp, `2026-11-23`."""
    return f"{parse(stamp):%Y-%m-%d}"


def minute(stamp: str) -> str:
    """A time stamp to the minute, `2026-11-23 13:29 UTC`."""
    return f"{parse(stamp):%Y-%m-%d %H:%M} UTC"


def parse(stamp: str) -> datetime:
    """An ISO time stamp with its zone, in UTC."""
    moment = datetime.fromisoformat(stamp.replace("Z", "+00:00"))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
