"""Who may use the control API: a bearer of the token, by this machine's name, from no foreign page."""

from __future__ import annotations

import hmac
import ipaddress
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, abort, request

from lab.errors import UsageError
from lab.telemetry.settings import Settings, read_token

MAX_BODY_BYTES = 64 * 1024


class Guard:
    """Refuses requests below `prefix` ("" is everything): 403 for a foreign Host or Origin, 401 without the token.

    With `open_reads`, GET and HEAD need no token.
    """

    def __init__(self, settings: Settings, prefix: str = "/admin", *, open_reads: bool = False) -> None:
        self._settings = settings
        self._prefix = prefix
        self._open_reads = open_reads

    def init_app(self, app: Flask) -> None:
        """Attaches to `app` and turns UsageError into 400."""
        if app.config["MAX_CONTENT_LENGTH"] is None:
            app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
        app.before_request(self._check)

        @app.errorhandler(UsageError)
        def bad(problem: UsageError) -> tuple[dict[str, str], int]:
            return {"error": str(problem)}, 400

    def _check(self) -> None:
        path = request.path
        if path != self._prefix and not path.startswith(self._prefix + "/"):
            return
        host = request.headers.get("Host", "")
        if not host_allowed(host, self._settings.allowed_hosts):
            abort(403, f"host {host[:100]!r} is not this machine; call 127.0.0.1")
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() != f"http://{host}".lower():
            abort(403, f"origin {origin[:100]!r} may not use this API")
        if self._open_reads and request.method in {"GET", "HEAD"}:
            return
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._holds_token(given.strip()):
            abort(401, "no valid token; send Authorization: Bearer and the content of the token file")

    def _holds_token(self, given: str) -> bool:
        path = self._settings.token_file
        return path is not None and hmac.compare_digest(given.encode(), read_token(path).encode())


def host_allowed(host: str, allowed: frozenset[str]) -> bool:
    """True when a Host header names loopback or one of `allowed`."""
    try:
        name = (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return False
    if name == "localhost" or name in allowed:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def json_body() -> dict[str, Any]:
    """The request's JSON object; UsageError when it is something else."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise UsageError(
            'the body is not a JSON object; send Content-Type: application/json and, for example, {"enabled": true}'
        )
    return body


def only_keys(body: dict[str, Any], *known: str) -> None:
    """UsageError when `body` has a key beside `known`, or none of them."""
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise UsageError(f"unknown key {unknown[0]!r}; known: {', '.join(known)}")
    if not body:
        raise UsageError(f"nothing to set; known: {', '.join(known)}")


def number_in(body: dict[str, Any], key: str, low: float, high: float) -> float:
    """body[key] as a number from `low` to `high`; UsageError naming the key otherwise."""
    value = body.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise UsageError(f"{key}: {value!r} is not a number from {low:g} to {high:g}")
    return value
