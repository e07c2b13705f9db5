"""Whom an incident reached: the users whose requests were bad by the SLO at stake, from the gateway's log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from lab import names
from lab.drills.schema.measurements import Users
from lab.slo.model import Slo
from lab.slo.thresholds import threshold_seconds

# Every route names the user whose page or profile it is.
_USER = re.compile(r"/v1/\w+/(\d+)")
SERVER_ERROR = 500


def users(lines: Iterable[Mapping[str, Any]], slo: Slo) -> Users:
    """How many users `asked` the SLO's service, and how many of them were `hit`: had a bad answer at least once.

    `lines` are request lines of the gateway's log. Bad is what the SLO calls bad: a 5xx for availability, and for a
    latency SLO an answer later than its threshold.
    """
    limit, asked, hit = threshold_seconds(slo), set[str](), set[str]()
    for line in lines:
        found = _USER.match(str(line.get("path", "")))
        if found is None or line.get("route") != names.ROUTES.get(slo.service, ""):
            continue
        user, failed = found.group(1), int(line.get("status", 0)) >= SERVER_ERROR
        asked.add(user)
        if failed if limit is None else not failed and float(line.get("duration_seconds", 0.0)) > limit:
            hit.add(user)
    return Users(asked=len(asked), hit=len(hit))
