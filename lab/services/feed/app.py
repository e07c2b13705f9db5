"""The feed service's public API, GET /v1/feed/{user_id}, and for operators the viewers with the most requests."""

from __future__ import annotations

from typing import Protocol

from flask import Flask, Response, abort, jsonify, request

from lab import names
from lab.services.feed import options
from lab.services.feed.hot_feeds import MAX_VIEWERS, HotFeeds
from lab.services.feed.options import FeedOptions
from lab.telemetry.process import Telemetry
from lab.telemetry.web import new_app


class Pages(Protocol):
    """Builds feeds: one class per version."""

    def page(self, viewer_id: int, options: FeedOptions) -> bytes | None:
        """The viewer's feed as JSON, or None for an unknown user."""


def create_app(
    telemetry: Telemetry, pages: Pages, hot_feeds: HotFeeds, defaults: FeedOptions = options.DEFAULT
) -> Flask:
    """The public app. Feeds come from `pages`, with the options in the request's baggage, else with `defaults`."""
    app = new_app("feed")
    telemetry.init_app(app)

    @app.get(names.ROUTE_FEED.replace("{user_id}", "<id:user_id>"))
    def feed(user_id: int) -> Response:
        page = pages.page(user_id, options.read(request.headers.get(names.HEADER_BAGGAGE), defaults))
        if page is None:
            abort(404, f"no user {user_id}")
        hot_feeds.record(user_id)
        return Response(page, content_type="application/json")

    return app


def add_admin_routes(app: Flask, hot_feeds: HotFeeds) -> None:
    """Adds GET /admin/popular to the admin app: viewers and their request counts, highest first."""

    @app.get("/admin/popular")
    def popular() -> Response:
        return jsonify(viewers=[{"id": viewer, "requests": count} for viewer, count in hot_feeds.top(MAX_VIEWERS)])
