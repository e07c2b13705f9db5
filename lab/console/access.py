"""Access to the live console: a browser needs a session cookie, a program the control token.

Everything below /api refuses other origins, which browsers name in Origin and Sec-Fetch-Site. The cookie alone is not
enough, because cookies ignore ports: a page that another program serves on 127.0.0.1 belongs to the same site.
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
NO_KEY = "open the console by the URL with its key, which 'fleetops status' prints"
_PROGRAMS = "programs"


class Access:
    """Checks every request of the console's app.

    Reads the token file for each request, so replacing the file revokes all access.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def init_app(self, app: Flask) -> None:
        """Registers the exchange of a key for a cookie with `app`."""
        app.before_request(self._exchange)

    def refusal(self, *, without_key: bool = False) -> AnyResponse | None:
        """The response that refuses the current request, 403 or 401, or None if the API may answer it.

        403 is for a request from another origin, 401 for one without credentials unless `without_key` allows it.
        """
        if origin := foreign_origin():
            return _refused(403, f"{origin} may not use this API")
        return None if without_key or self.client() is not None else _refused(401, NO_KEY)

    def client(self) -> str | None:
        """The sender of the current request: a browser's session id, `programs`, or None without credentials."""
        if "client" not in g:
            g.client = self._session() or self._program()
        client: str | None = g.client
        return client

    def _session(self) -> str | None:
        try:
            return self._signer().unsign(request.cookies.get(cookie_name(), "")).decode()
        except (BadSignature, LabError):
            return None

    def _program(self) -> str | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            valid = hmac.compare_digest(token.strip().encode("utf-8", "replace"), self._token().encode())
        except LabError:
            return None
        return _PROGRAMS if valid and scheme.lower() == "bearer" else None

    def _exchange(self) -> AnyResponse | None:
        """Exchanges a key in the URL for a cookie and redirects to the URL without the key.

        So the key stays out of the browser's history and the Referer header.
        """
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
    """The other origin that sent the current request, as text; "" for the console's own pages and for programs."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.lower() != request.host_url.rstrip("/").lower():
        return f"origin {origin[:100]!r}"
    if request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
        return "a page of another origin"
    return ""


def cookie_name() -> str:
    """The cookie's name, one per port: browsers send a host's cookies to all its ports, and labs may share a host."""
    return f"fleetops-console-{urlsplit(request.host_url).port or 80}"


def _refused(status: int, why: str) -> Response:
    if request.path.startswith(API):
        response = jsonify(error=why)
        response.status_code = status
        return response
    return Response(f"{why}\n", status, content_type="text/plain; charset=utf-8")
