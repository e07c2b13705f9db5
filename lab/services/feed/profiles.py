"""Loads the viewer's profile from the user service. A feed can be built without it."""

from __future__ import annotations

from typing import TypedDict

from lab.services.upstream import Upstream, UpstreamTimeoutError, UpstreamUnreachableError
from lab.telemetry import json_text
from lab.telemetry.http import log_field


class UnknownUser(Exception):
    """The user service does not know the user."""


class Viewer(TypedDict):
    """The viewer of a feed, as the feed contains it."""

    handle: str
    display_name: str


class Profiles:
    """Client of the user service."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def brief(self, user_id: int) -> Viewer | None:
        """Handle and display name, or None if the user service gives no valid response. Raises UnknownUser."""
        try:
            reply = self._upstream.call("GET", f"/v1/users/{user_id}", {})
        except (UpstreamTimeoutError, UpstreamUnreachableError):
            log_field("degraded", "no viewer profile")
            return None
        if reply.status == 404:
            raise UnknownUser(str(user_id))
        if reply.status != 200:
            log_field("degraded", "no viewer profile")
            return None
        try:
            profile = json_text.parse(reply.body)
            return {"handle": str(profile["handle"]), "display_name": str(profile["display_name"])}
        except (json_text.JsonError, KeyError, TypeError):
            log_field("degraded", "invalid viewer profile")
            return None
