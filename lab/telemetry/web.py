"""Creates the lab's Flask apps: request sizes are limited, and every error response is one line of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response, request
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import BaseConverter

from lab.errors import UsageError
from lab.telemetry import logs

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

MAX_BODY_BYTES = 64 * 1024
# The largest id in any of our stores: PostgreSQL's integer. SQLite allows more, but no lab has that many pages.
MAX_ID = 2**31 - 1


class AnyQuery(Request):
    """A request that accepts any bytes in its query string: those that are not UTF-8 are replaced."""

    def __init__(self, environ: WSGIEnvironment, *args: Any, **kwargs: Any) -> None:
        super().__init__(environ, *args, **kwargs)
        self.query_string = self.query_string.decode("utf-8", "replace").encode()


class IdConverter(BaseConverter):
    """`<id:page_id>` in a route: a whole number from 1 to MAX_ID. Anything else is 404."""

    regex = "[0-9]+"
    part_isolating = True

    def to_python(self, value: str) -> int:
        """The id. Raises NotFound when no store can have it."""
        digits = value.lstrip("0")
        if not digits or len(digits) > len(str(MAX_ID)) or int(digits) > MAX_ID:
            raise NotFound(f"no id {value:.40}; ids go from 1 to {MAX_ID}")
        return int(digits)


def new_app(name: str, *, max_body_bytes: int = MAX_BODY_BYTES) -> Flask:
    """An app without routes: `<id:...>` validates ids, bodies are limited, errors are {"error": "one line"}.

    UsageError is answered 400; an unhandled exception is logged and answered 500. `name` is Flask's import name.
    """
    app = Flask(name, static_folder=None)
    app.request_class = AnyQuery
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    app.url_map.converters["id"] = IdConverter
    _json_errors(app)
    return app


def _json_errors(app: Flask) -> None:
    log = logs.get()

    @app.errorhandler(HTTPException)
    def http_error(problem: HTTPException) -> Response:
        response = app.response_class(status=problem.code or 500, headers=problem.get_headers(request.environ))
        unknown = request.url_rule is None and problem.description == NotFound.description
        text = "no such route" if unknown else problem.description or problem.name
        response.data = app.json.dumps({"error": _line(text)})
        response.content_type = "application/json"
        return response

    @app.errorhandler(UsageError)
    def usage_error(problem: UsageError) -> tuple[dict[str, str], int]:
        return {"error": _line(str(problem))}, 400

    @app.errorhandler(Exception)
    def unhandled(problem: Exception) -> Response:
        log.error("unhandled exception", exc_info=problem)
        response = app.response_class(status=500, content_type="application/json")
        response.data = app.json.dumps({"error": "internal error"})
        return response


def _line(text: str) -> str:
    return " ".join(text.split())
