"""The users whose requests an incident made bad."""

from __future__ import annotations

from typing import Any

import pytest

from lab import names
from lab.drills.evidence import impact
from lab.drills.schema.measurements import Users
from lab.slo.catalogue import find_slo


def line(user: object, status: int = 200, seconds: float = 0.02, route: str = names.ROUTE_FEED) -> dict[str, Any]:
    what = "feed" if route == names.ROUTE_FEED else "users"
    return {"route": route, "path": f"/v1/{what}/{user}", "status": status, "duration_seconds": seconds}


LINES = [
    line(1), line(1, seconds=0.5), line(1, seconds=0.9), line(2), line(3, status=503, seconds=2.0), line(4, status=429),
    line(5, status=500, route=names.ROUTE_USER), line("abc"), {"route": names.ROUTE_FEED},
]  # fmt: skip


@pytest.mark.parametrize(
    ("slo", "asked", "hit"),
    [
        pytest.param("feed-latency-p99", 4, 1, id="a user is counted once, and an error is not a slow answer"),
        pytest.param("feed-availability", 4, 1, id="a 5xx counts, a 4xx does not"),
        pytest.param("user-availability", 1, 1, id="only users of that service count"),
    ],
)
def test_a_user_is_hit_by_what_the_slo_at_stake_calls_bad(slo: str, asked: int, hit: int) -> None:
    assert impact.users(LINES, find_slo(slo)) == Users(asked=asked, hit=hit)
