"""The kill switches: every one is on in ordinary times."""

from __future__ import annotations

CANARY = "canary"
FEED = "feed"
PROFILE_WRITES = "profile-writes"

# What happens when it is off.
HELP = {
    CANARY: "off: nobody is sent to the canary, whatever its weight",
    FEED: "off: the feed route answers 503 at once",
    PROFILE_WRITES: "off: profile writes answer 503 at once, reads go on",
}
