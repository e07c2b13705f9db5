"""/livez and /readyz: a process is live if it answers, and ready if all its checks pass and it is not draining."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from flask import Flask, Response, jsonify

Check = Callable[[], None]


class Health:
    """Readiness of one process. A check that fails raises; a draining process is not ready."""

    def __init__(self, checks: Mapping[str, Check] | None = None) -> None:
        self._checks = dict(checks or {})
        self._notes: list[str] = []
        self.draining = threading.Event()

    def add(self, name: str, check: Check) -> None:
        """Adds a check that must pass before this process is ready."""
        self._checks[name] = check

    def note(self, text: str) -> None:
        """Adds a one-line warning for operators to /readyz that does not affect readiness."""
        self._notes.append(text[:300])

    def init_app(self, app: Flask) -> None:
        """Adds GET /livez and GET /readyz to `app`."""

        @app.get("/livez")
        def livez() -> Response:
            return jsonify(alive=True)

        @app.get("/readyz")
        def readyz() -> Response:
            results = self.results()
            ready = all(text == "ok" for text in results.values())
            response = jsonify(ready=ready, checks=results, notes=self._notes)
            response.status_code = 200 if ready else 503
            return response

    def results(self) -> dict[str, str]:
        """The result of each check by name: "ok", or a one-line reason."""
        results = {"serving": "draining" if self.draining.is_set() else "ok"}
        for name, check in self._checks.items():
            try:
                check()
                results[name] = "ok"
            except Exception as problem:  # noqa: BLE001 - any exception of a check is its result
                lines = str(problem).strip().splitlines()
                results[name] = lines[0][:200] if lines else type(problem).__name__
        return results
