"""Feature flags: kill switches, which are normally on, and emergency modes, which are normally off."""

from __future__ import annotations

CANARY = "canary"
FEED = "feed"
FEED_PROFILES = "feed-profiles"
PROFILE_WRITES = "profile-writes"
SERVE_STALE = "serve-stale"
SINGLE_FLIGHT = "single-flight"

# The effect of each flag in its exceptional position.
HELP = {
    CANARY: "off: no client is routed to the canary, whatever its weight",
    FEED: "off: the feed route answers 503 immediately",
    FEED_PROFILES: "off: degraded feed, built without the viewer's profile from the user service",
    PROFILE_WRITES: "off: read-only mode; profile writes answer 503 immediately, reads continue",
    SERVE_STALE: "on: an expired feed is served immediately and rebuilt in the background",
    SINGLE_FLIGHT: "on: concurrent requests for a feed that is not cached wait for the first one to build it",
}
DEFAULTS = {name: name not in (SERVE_STALE, SINGLE_FLIGHT) for name in HELP}
