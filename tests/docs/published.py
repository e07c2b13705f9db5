"""A file server for the built site that compresses like the host of a published site."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

COMPRESSED = {".html", ".css", ".js", ".json", ".svg", ".xml"}


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Logs nothing."""

    def send_head(self) -> Any:
        self.server.requested.append(self.path)  # type: ignore[attr-defined]
        file = Path(self.translate_path(self.path))
        if file.is_dir():
            file = file / "index.html"
        if file.suffix not in COMPRESSED or not file.is_file() or not self.path.endswith(("/", file.suffix)):
            return super().send_head()
        body = gzip.compress(file.read_bytes(), mtime=0)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(file)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        return BytesIO(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    requested: list[str]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores a browser that closes a connection in the middle of a response."""


@contextmanager
def serve(folder: Path, requested: list[str] | None = None) -> Iterator[str]:
    """The URL of `folder` on loopback while the block runs; `requested` collects the path of every request."""
    server = _Server(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
    server.requested = [] if requested is None else requested
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
