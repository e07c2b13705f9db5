"""The flags: kill switches, on in ordinary times, and emergency modes, off in ordinary times."""

from __future__ import annotations

CANARY = "canary"
FEED = "feed"
FEED_PROFILES = "feed-profiles"
PROFILE_WRITES = "profile-writes"
SERVE_STALE = "serve-stale"
SINGLE_FLIGHT = "single-flight"

# What each does when it is not as in ordinary times.
HELP = {
    CANARY: "off: nobody is sent to the canary, whatever its weight",
    FEED: "off: the feed route answers 503 at once",
    FEED_PROFILES: "off: degraded feed; pages are made without asking the user service for their viewer",
    PROFILE_WRITES: "off: read-only mode; profile writes answer 503 at once, reads go on",
    SERVE_STALE: "on: a feed page past its time to live is served at once and made anew behind the answer",
    SINGLE_FLIGHT: "on: requests for one feed page that is not in the cache wait for the first of them",
}
# How they stand until somebody sets them.
DEFAULTS = {name: name not in (SERVE_STALE, SINGLE_FLIGHT) for name in HELP}
