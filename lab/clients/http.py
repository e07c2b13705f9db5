"""JSON over HTTP: the one place that maps refused requests and unreachable processes to the lab's errors."""

from __future__ import annotations

import json
import logging
from typing import Any

import urllib3

from lab.errors import LabError, NotRunning, UsageError

NO_RETRIES = urllib3.Retry(0)
# Supervision restarts a process that died within seconds, so reads are retried for about eight seconds.
RETRY_READS = urllib3.Retry(
    6, allowed_methods=("GET",), backoff_factor=0.25, backoff_max=2, respect_retry_after_header=False
)
# Connection failures are reported below; the library's own line for each attempt would only repeat them.
logging.getLogger(urllib3.connectionpool.__name__).setLevel(logging.ERROR)


class JsonClient:
    """Requests to one base URL. Safe to share between threads."""

    def __init__(
        self, base_url: str, *, what: str, token: str | None = None, user: str = "", timeout_seconds: float = 5.0
    ) -> None:
        """`what` names the server in errors. The token is sent as a bearer, or with `user` as that user's password."""
        self.base_url = base_url.rstrip("/")
        self.what = what
        self.token = token
        self.user = user
        self.retries = NO_RETRIES
        self._pool = urllib3.PoolManager(
            maxsize=4, timeout=urllib3.Timeout(connect=min(2.0, timeout_seconds), read=timeout_seconds)
        )

    def call(self, method: str, path: str, body: Any = None, *, fields: dict[str, str] | None = None) -> Any:
        """Send one request and return the decoded JSON.

        `body` is sent as JSON; `fields` go into the query string of a GET and into the form of a POST. Raises
        UsageError when the server refuses the request (4xx), NotRunning when it does not answer, LabError otherwise.
        """
        headers = {"Accept": "application/json"}
        if self.token:
            headers |= login_headers(self.user, self.token) if self.user else {"Authorization": f"Bearer {self.token}"}
        arguments: dict[str, Any] = {"fields": fields} if fields is not None else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
            arguments["body"] = json.dumps(body).encode()
        if fields is not None and method == "POST":
            arguments["encode_multipart"] = False
        try:
            response = self._pool.request(
                method, f"{self.base_url}{path}", headers=headers, retries=self.retries, **arguments
            )
        except urllib3.exceptions.HTTPError as error:
            raise NotRunning(
                f"{self.what} at {self.base_url} does not answer ({_why(error)}); "
                "see 'fleetops status', start the lab with 'fleetops up'"
            ) from error
        return self._decoded(method, path, response)

    def _decoded(self, method: str, path: str, response: urllib3.BaseHTTPResponse) -> Any:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if response.status < 400 and answer is not None:
            return answer
        reason = answer.get("error") if isinstance(answer, dict) else None
        message = f"{self.what}: {reason or f'{method} {path} answered {response.status}'}"
        if response.status in (401, 403):
            raise LabError(f"{message}; the control token is not this lab's (is FLEETOPS_HOME right?)")
        if response.status in (400, 404, 413, 415, 422):
            raise UsageError(message)
        raise LabError(message)


def login_headers(user: str, password: str) -> dict[str, str]:
    """The Authorization header of HTTP basic authentication."""
    return dict(urllib3.make_headers(basic_auth=f"{user}:{password}"))


def _why(error: urllib3.exceptions.HTTPError) -> str:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, urllib3.exceptions.TimeoutError):
        return "timed out"
    return "connection refused" if "refused" in str(reason) else type(reason).__name__
