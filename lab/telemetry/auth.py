"""Who may use a server: anybody by this machine's name; its control API a bearer of the token, from no foreign page."""

from __future__ import annotations

import hmac
import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from flask import Flask, abort, request

from lab.errors import UsageError
from lab.telemetry.settings import Settings, read_token


class AdminAuth:
    """Refuses requests below `prefix` ("" is everything): 403 for a foreign Origin, 401 without the token.

    With `open_reads`, GET and HEAD need no token.
    """

    def __init__(self, settings: Settings, prefix: str = "/admin", *, open_reads: bool = False) -> None:
        self._settings = settings
        self._prefix = prefix
        self._open_reads = open_reads

    def init_app(self, app: Flask) -> None:
        """Stands before every route of `app`."""
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
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._holds_token(given.strip()):
            abort(401, "no valid token; send Authorization: Bearer and the content of the token file")

    def _holds_token(self, given: str) -> bool:
        path = self._settings.token_file
        if path is None:
            return False
        try:
            token = read_token(path)
        except UsageError as problem:
            abort(503, str(problem))  # the file is ours, so no request is wrong because of it
        return hmac.compare_digest(given.encode(), token.encode())


def only_by_own_name(app: Flask, allowed: frozenset[str]) -> None:
    """Refuses, with 403, every request to `app` whose Host is neither loopback nor in `allowed`.

    A page can bind its own name to 127.0.0.1 after it was loaded (DNS rebinding); its requests then carry that name.
    """

    @app.before_request
    def check() -> None:
        host = request.headers.get("Host", "")
        if not host_allowed(host, allowed):
            abort(403, f"host {host[:100]!r} is not this machine; call 127.0.0.1")


@lru_cache(maxsize=256)
def host_allowed(host: str, allowed: frozenset[str]) -> bool:
    """True when a Host header names loopback or one of `allowed`."""
    try:
        parts = urlsplit(f"//{host}")
        name, _port = (parts.hostname or "").lower(), parts.port
    except ValueError:  # no such host, or no such port
        return False
    if name == "localhost" or name in allowed:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
