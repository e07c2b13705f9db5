"""The container health check succeeds only when the program in the container is ready."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from lab.stack.container import probe


@pytest.fixture
def program() -> Iterator[HTTPServer]:
    """A program whose readiness status is its server's `answer`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(self.server.answer if self.path == "/readyz" else 404)  # type: ignore[attr-defined]
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def check(folder: Path) -> tuple[int, str]:
    """Run the health check as the engine does; `folder` is the container's /tmp."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(probe.__file__)],
        env={"TMPDIR": str(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout.strip() + done.stderr.strip()


@pytest.mark.parametrize(("answer", "status"), [(200, 0), (503, 1)])
def test_a_container_is_healthy_when_its_program_is_ready(
    tmp_path: Path, program: HTTPServer, answer: int, status: int
) -> None:
    program.answer = answer  # type: ignore[attr-defined]
    (tmp_path / "ready").write_text(f"http://127.0.0.1:{program.server_port}/readyz")
    assert check(tmp_path) == (status, f"status {answer}")


def test_an_unreachable_program_is_unhealthy_with_a_reason(tmp_path: Path) -> None:
    assert check(tmp_path)[0] == 1
    (tmp_path / "ready").write_text("http://127.0.0.1:1/readyz")
    status, output = check(tmp_path)
    assert (status, "refused" in output, "Traceback" in output) == (1, True, False)
