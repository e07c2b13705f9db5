"""The built site over HTTP: right types, a 404 page, and caches that never show an old page as a new one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote

from flask import Blueprint, Response, redirect, request, send_from_directory
from werkzeug.security import safe_join
from werkzeug.wrappers import Response as AnyResponse

# Files whose name carries their content's hash can be kept for good; everything else is asked for again (304 if same).
_HASHED = re.compile(r"\.[0-9a-f]{8,}\.(min\.)?(css|js|map|woff2)(\.map)?$")
FOREVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
# The theme has inline scripts and styles; nothing is ever fetched from, framed by, or sent to another origin.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)


def blueprint(folder: Path) -> Blueprint:
    """Routes that serve `folder`, the output of `mkdocs build`."""
    pages = Blueprint("pages", __name__)

    @pages.get("/")
    @pages.get("/<path:path>")
    def page(path: str = "") -> AnyResponse:
        if not (folder / "index.html").exists():
            return Response(
                f"The site is not built; run 'make site' (looked in {folder}).\n", 503, content_type="text/plain"
            )
        index = safe_join(str(folder), path, "index.html")
        # isfile is False, and raises nothing, for a path that no file system takes: too long, or with a NUL.
        if path and not path.endswith("/") and index is not None and os.path.isfile(index):  # noqa: PTH113
            query = f"?{request.query_string.decode()}" if request.query_string else ""
            return redirect(f"/{quote(path)}/{query}", 308)
        file = f"{path}index.html" if not path or path.endswith("/") else path
        response = send_from_directory(folder, file, conditional=True, etag=True)
        response.headers["Cache-Control"] = FOREVER if _HASHED.search(file) else ASK_AGAIN
        return response

    @pages.app_errorhandler(404)
    def missing(_problem: Exception) -> AnyResponse:
        if request.path.startswith("/api/"):
            return Response('{"error":"no such thing here"}', 404, content_type="application/json")
        own = folder / "404.html"
        text = own.read_text() if own.exists() else "Not found.\n"
        return Response(text, 404, content_type="text/html" if own.exists() else "text/plain")

    @pages.after_app_request
    def guard(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        return response

    return pages
