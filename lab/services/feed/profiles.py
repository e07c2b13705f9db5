"""The viewer's profile, from the user service; a feed can do without it."""

from __future__ import annotations

import json
from typing import Any

from lab.services.upstream import Upstream, UpstreamTimeoutError, UpstreamUnreachableError
from lab.telemetry.http import fact


class UnknownUser(Exception):
    """The user service knows no such user."""


class Profiles:
    """Asks the user service."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def brief(self, user_id: int) -> dict[str, Any] | None:
        """Handle and display name, or None while the user service does not answer. Raises UnknownUser."""
        try:
            reply = self._upstream.call("GET", f"/v1/users/{user_id}", {})
        except (UpstreamTimeoutError, UpstreamUnreachableError):
            fact("degraded", "no viewer profile")
            return None
        if reply.status == 404:
            raise UnknownUser(str(user_id))
        if reply.status != 200:
            fact("degraded", "no viewer profile")
            return None
        profile = json.loads(reply.body)
        return {"handle": profile["handle"], "display_name": profile["display_name"]}
