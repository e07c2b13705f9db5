"""The users that an incident affected: those with a bad request by the SLO at stake, from the gateway's log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lab import names
from lab.drills.schema.measurements import Users
from lab.slo.model import Slo
from lab.slo.thresholds import threshold_seconds

# Every route contains the id of the user whose feed or profile it returns.
_USER = re.compile(r"/v1/\w+/(\d+)")
SERVER_ERROR = 500


def users(lines: Iterable[Mapping[str, Any]], slo: Slo) -> Users:
    """The number of users who sent a request to the SLO's service (`asked`), and of those with a bad one (`hit`).

    `lines` are request lines of the gateway's log. A request is bad by the SLO's definition: a 5xx for availability, a
    successful answer above the threshold for latency.
    """
    limit, asked, hit = threshold_seconds(slo), set[str](), set[str]()
    for line in lines:
        path = _USER.match(str(line.get("path", "")))
        if path is None or line.get("route") != names.ROUTES.get(slo.service, ""):
            continue
        user, failed = path.group(1), int(line.get("status", 0)) >= SERVER_ERROR
        asked.add(user)
        if failed if limit is None else not failed and float(line.get("duration_seconds", 0.0)) > limit:
            hit.add(user)
    return Users(asked=len(asked), hit=len(hit))
