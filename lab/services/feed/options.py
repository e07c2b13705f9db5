"""Options for building a feed, which the gateway sends to the feed service in W3C baggage.

Options that have their default value are not sent.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

DEFAULT_TTL_SECONDS = 300.0
MIN_TTL_SECONDS, MAX_TTL_SECONDS = 1.0, 86_400.0
_PREFIX = "feed."


@dataclass(frozen=True)
class FeedOptions:
    """`profiles`: load the viewer's profile; `ttl_seconds`: how long a cached feed is fresh."""

    profiles: bool = True
    serve_stale: bool = False
    single_flight: bool = False
    ttl_seconds: float = DEFAULT_TTL_SECONDS

    def baggage(self) -> str:
        """The header's value: the options that differ from their default; "" if none does."""
        return ",".join(
            f"{_PREFIX}{option.name}={float(getattr(self, option.name)):g}"
            for option in fields(self)
            if getattr(self, option.name) != option.default
        )


DEFAULT = FeedOptions()


def read(header: str | None, default: FeedOptions = DEFAULT) -> FeedOptions:
    """The options in a request's baggage, else those of `default`; unknown and invalid members are ignored."""
    if not header:
        return default
    values: dict[str, float] = {}
    for member in header.split(","):
        key, _, value = member.partition(";")[0].strip().partition("=")
        try:
            values[key.strip().removeprefix(_PREFIX)] = float(value)
        except ValueError:
            continue
    ttl = values.get("ttl_seconds", default.ttl_seconds)
    return FeedOptions(
        profiles=bool(values.get("profiles", default.profiles)),
        serve_stale=bool(values.get("serve_stale", default.serve_stale)),
        single_flight=bool(values.get("single_flight", default.single_flight)),
        ttl_seconds=ttl if MIN_TTL_SECONDS <= ttl <= MAX_TTL_SECONDS else default.ttl_seconds,
    )
