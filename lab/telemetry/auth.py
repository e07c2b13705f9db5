"""Access control: allowed Host headers for every server, and token and Origin checks for control APIs."""

from __future__ import annotations

import hmac
import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from flask import Flask, abort, request

from lab.errors import UsageError
from lab.telemetry.settings import Settings, read_token


class AdminAuth:
    """Rejects requests to paths under `prefix` ("" for all): 403 for a foreign Origin, 401 without the token.

    With `open_reads`, GET and HEAD need no token.
    """

    def __init__(self, settings: Settings, prefix: str = "/admin", *, open_reads: bool = False) -> None:
        self._settings = settings
        self._prefix = prefix
        self._open_reads = open_reads

    def init_app(self, app: Flask) -> None:
        """Checks every request to `app`."""
        app.before_request(self._check)

    def _check(self) -> None:
        path = request.path
        if path != self._prefix and not path.startswith(self._prefix + "/"):
            return
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() != f"http://{request.headers.get('Host', '')}".lower():
            abort(403, f"origin {origin[:100]!r} may not use this API")
        if self._open_reads and request.method in {"GET", "HEAD"}:
            return
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._is_token(credentials.strip()):
            abort(401, "no valid token; send Authorization: Bearer and the content of the token file")

    def _is_token(self, credentials: str) -> bool:
        path = self._settings.token_file
        if path is None:
            return False
        try:
            token = read_token(path)
        except UsageError as problem:
            abort(503, str(problem))  # a server-side problem: the request itself is not at fault
        return hmac.compare_digest(credentials.encode(), token.encode())


def require_allowed_host(app: Flask, allowed: frozenset[str]) -> None:
    """Rejects, with 403, every request to `app` whose Host is neither loopback nor in `allowed`.

    This prevents DNS rebinding: a web page can bind its own host name to 127.0.0.1, but its requests carry that name.
    """

    @app.before_request
    def check() -> None:
        host = request.headers.get("Host", "")
        if not host_allowed(host, allowed):
            abort(403, f"host {host[:100]!r} is not allowed; use 127.0.0.1")


@lru_cache(maxsize=256)
def host_allowed(host: str, allowed: frozenset[str]) -> bool:
    """Whether a Host header names loopback or one of `allowed`."""
    try:
        parts = urlsplit(f"//{host}")
        name, _port = (parts.hostname or "").lower(), parts.port
    except ValueError:  # not a valid host or port
        return False
    if name == "localhost" or name in allowed:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
