"""How a feed page is to be made, decided at the edge and told to the feed in W3C baggage: one place knows the words.

Nothing is sent while everything is as in ordinary times.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

DEFAULT_TTL_SECONDS = 300.0
MIN_TTL_SECONDS, MAX_TTL_SECONDS = 1.0, 86_400.0
_PREFIX = "feed."


@dataclass(frozen=True)
class FeedOptions:
    """`ttl_seconds` is how long a page counts as fresh."""

    profiles: bool = True
    serve_stale: bool = False
    single_flight: bool = False
    ttl_seconds: float = DEFAULT_TTL_SECONDS

    def baggage(self) -> str:
        """The header's value: what differs from the default, or ''."""
        return ",".join(
            f"{_PREFIX}{one.name}={float(getattr(self, one.name)):g}"
            for one in fields(self)
            if getattr(self, one.name) != one.default
        )


DEFAULT = FeedOptions()


def read(header: str | None, default: FeedOptions = DEFAULT) -> FeedOptions:
    """What a request's baggage says, over `default`; members that are not ours or make no sense are left out."""
    if not header:
        return default
    told: dict[str, float] = {}
    for member in header.split(","):
        key, _, value = member.partition(";")[0].strip().partition("=")
        try:
            told[key.strip().removeprefix(_PREFIX)] = float(value)
        except ValueError:
            continue
    ttl = told.get("ttl_seconds", default.ttl_seconds)
    return FeedOptions(
        profiles=bool(told.get("profiles", default.profiles)),
        serve_stale=bool(told.get("serve_stale", default.serve_stale)),
        single_flight=bool(told.get("single_flight", default.single_flight)),
        ttl_seconds=ttl if MIN_TTL_SECONDS <= ttl <= MAX_TTL_SECONDS else default.ttl_seconds,
    )
