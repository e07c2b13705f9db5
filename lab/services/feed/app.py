"""The public API of the feed service: GET /v1/feed/{user_id}. Beside it, for operators, whose feeds are popular."""

from __future__ import annotations

from typing import Protocol

from flask import Flask, Response, abort, jsonify, request

from lab import names
from lab.services.feed import options
from lab.services.feed.hot_feeds import REMEMBERED, Popular
from lab.services.feed.options import FeedOptions
from lab.telemetry.process import Telemetry
from lab.telemetry.web import new_app


class Pages(Protocol):
    """Where feeds come from."""

    def page(self, viewer_id: int, options: FeedOptions) -> bytes | None:
        """The viewer's feed as JSON, or None when there is no such user."""


def create_app(telemetry: Telemetry, pages: Pages, popular: Popular, ordinary: FeedOptions = options.DEFAULT) -> Flask:
    """One route, answered from `pages`, made as the edge says in its baggage, else as is `ordinary`."""
    app = new_app("feed")
    telemetry.init_app(app)

    @app.get(names.ROUTE_FEED.replace("{user_id}", "<id:user_id>"))
    def feed(user_id: int) -> Response:
        told = options.read(request.headers.get(names.HEADER_BAGGAGE), ordinary)
        page = pages.page(user_id, told)
        if page is None:
            abort(404, f"no user {user_id}")
        popular.seen(user_id)
        return Response(page, content_type="application/json")

    return app


def add_admin_routes(app: Flask, popular: Popular) -> None:
    """Adds GET /admin/popular to the guarded admin app: viewers and how often they asked, most first."""

    @app.get("/admin/popular")
    def most() -> Response:
        return jsonify(viewers=[{"id": viewer, "requests": count} for viewer, count in popular.most(REMEMBERED)])
