"""The public API of the feed service: GET /v1/feed/{user_id}."""

from __future__ import annotations

from typing import Protocol

from flask import Flask, Response, abort

from lab import names
from lab.telemetry.process import Telemetry

MAX_ID = 2**31 - 1


class Pages(Protocol):
    """Where feeds come from."""

    def page(self, viewer_id: int) -> bytes | None:
        """The viewer's feed as JSON, or None when there is no such user."""


def create_app(telemetry: Telemetry, pages: Pages) -> Flask:
    """One route, answered from `pages`."""
    app = Flask("feed", static_folder=None)
    telemetry.init_app(app)

    @app.get(names.ROUTE_FEED.replace("{user_id}", "<int:user_id>"))
    def feed(user_id: int) -> Response:
        page = pages.page(user_id) if 0 < user_id <= MAX_ID else None
        if page is None:
            abort(404, f"no user {user_id}")
        return Response(page, content_type="application/json")

    return app
