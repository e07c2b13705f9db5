"""The built site over HTTP, with content types, a 404 page and cache headers."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote

from flask import Blueprint, Response, redirect, request, send_from_directory
from werkzeug.security import safe_join
from werkzeug.wrappers import Response as AnyResponse

# Files with a content hash in their name are cached forever; browsers revalidate all others (304 if unchanged).
_HASHED = re.compile(r"\.[0-9a-f]{8,}\.(min\.)?(css|js|map|woff2)(\.map)?$")
FOREVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
# The theme needs inline scripts and styles. Nothing is fetched from, framed by or sent to another origin.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)


def blueprint(folder: Path) -> Blueprint:
    """The routes that serve `folder`, the output of `mkdocs build`, and the security headers of every response."""
    pages = Blueprint("pages", __name__)

    @pages.get("/")
    @pages.get("/<path:path>")
    def page(path: str = "") -> AnyResponse:
        if not (folder / "index.html").exists():
            return Response(
                f"The site is not built; run 'make site' (expected in {folder}).\n", 503, content_type="text/plain"
            )
        index = safe_join(str(folder), path, "index.html")
        # Unlike Path.is_file, isfile returns False for a path that is too long or contains a NUL.
        if path and not path.endswith("/") and index is not None and os.path.isfile(index):  # noqa: PTH113
            query = f"?{request.query_string.decode()}" if request.query_string else ""
            return redirect(f"/{quote(path)}/{query}", 308)
        file = f"{path}index.html" if not path or path.endswith("/") else path
        response = send_from_directory(folder, file, conditional=True, etag=True)
        response.headers["Cache-Control"] = FOREVER if _HASHED.search(file) else REVALIDATE
        return response

    @pages.app_errorhandler(404)
    def missing(_problem: Exception) -> AnyResponse:
        if request.path.startswith("/api/"):
            return Response('{"error":"no such path in this API"}', 404, content_type="application/json")
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
