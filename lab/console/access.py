"""Who may use the live console: a browser that was opened with the console's key, or a program with the control token.

Everything below /api refuses other origins: browsers state a request's origin in Origin and Sec-Fetch-Site. The cookie
alone would not do, because cookies ignore ports: a page that another program serves on 127.0.0.1 is the same site.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from urllib.parse import quote, urlencode, urlsplit

from flask import Flask, Response, g, jsonify, redirect, request
from itsdangerous import BadSignature, Signer
from werkzeug.wrappers import Response as AnyResponse

from lab.errors import LabError
from lab.stack.console_key import PARAMETER, is_console_key
from lab.telemetry.settings import Settings, read_token

API = "/api/"
NO_KEY = "open the console with its key: 'fleetops status' prints the URL"
_PROGRAMS = "programs"


class Access:
    """Checks every request of the console's app. The token file is read each time: replacing it revokes all access."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def init_app(self, app: Flask) -> None:
        """Attaches the exchange of a key for a cookie to `app`."""
        app.before_request(self._exchange)

    def refusal(self, *, without_key: bool = False) -> AnyResponse | None:
        """Why the API does not answer this request: 403 for another origin, 401 without credentials; else None."""
        if origin := foreign_origin():
            return _refused(403, f"{origin} may not use this API")
        return None if without_key or self.client() is not None else _refused(401, NO_KEY)

    def client(self) -> str | None:
        """Who sent this request: a browser's session id, one name for all programs, or None without credentials."""
        if "client" not in g:
            g.client = self._session() or self._program()
        found: str | None = g.client
        return found

    def _session(self) -> str | None:
        try:
            return self._signer().unsign(request.cookies.get(cookie_name(), "")).decode()
        except (BadSignature, LabError):
            return None

    def _program(self) -> str | None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        try:
            known = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token().encode())
        except LabError:
            return None
        return _PROGRAMS if known and scheme.lower() == "bearer" else None

    def _exchange(self) -> AnyResponse | None:
        """Exchange a key in the URL for a cookie, and redirect to the URL without it: no history, no Referer."""
        if request.method != "GET" or PARAMETER not in request.args:
            return None
        try:
            valid = is_console_key(request.args[PARAMETER], self._token())
        except LabError:
            valid = False
        if not valid:
            response: AnyResponse = _refused(403, f"this key is not valid for this lab; {NO_KEY}")
        else:
            rest = [(name, value) for name, value in request.args.items(multi=True) if name != PARAMETER]
            path = f"/{quote(request.path.lstrip('/'))}"
            response = redirect(f"{path}?{urlencode(rest)}" if rest else path, 303)
            response.set_cookie(
                cookie_name(), self._signer().sign(secrets.token_urlsafe(16)).decode(),
                path=API, httponly=True, samesite="Strict",
            )  # fmt: skip
        response.headers["Cache-Control"] = "no-store"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    def _signer(self) -> Signer:
        return Signer(self._token(), salt="fleetops console session", key_derivation="hmac", digest_method=sha256)

    def _token(self) -> str:
        if self._settings.token_file is None:
            raise LabError("this console has no control token; set FLEETOPS_TOKEN_FILE")
        return read_token(self._settings.token_file)


def foreign_origin() -> str:
    """The other origin that sent this request, in words; "" for the console's own pages and for programs."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.lower() != request.host_url.rstrip("/").lower():
        return f"origin {origin[:100]!r}"
    if request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
        return "a page of another origin"
    return ""


def cookie_name() -> str:
    """One name for each port: a browser sends a host's cookies to all its ports, and several labs may run there."""
    return f"fleetops-console-{urlsplit(request.host_url).port or 80}"


def _refused(status: int, why: str) -> Response:
    if request.path.startswith(API):
        response = jsonify(error=why)
        response.status_code = status
        return response
    return Response(f"{why}\n", status, content_type="text/plain; charset=utf-8")
