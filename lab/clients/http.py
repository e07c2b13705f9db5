"""JSON over HTTP to the lab's own processes: one place that turns refusals and silence into the lab's errors."""

from __future__ import annotations

import json
import logging
from typing import Any

import urllib3

from lab.errors import LabError, NotRunning, UsageError

AT_ONCE = urllib3.Retry(0)
# Supervision has a process that died back within seconds: what only reads is asked again for about eight.
PATIENT = urllib3.Retry(
    6, allowed_methods=("GET",), backoff_factor=0.25, backoff_max=2, respect_retry_after_header=False
)
# What silence means is said below; the library's own lines on each attempt are for nobody.
logging.getLogger(urllib3.connectionpool.__name__).setLevel(logging.ERROR)


class JsonClient:
    """Requests to one base URL. Safe to share between threads."""

    def __init__(
        self, base_url: str, *, what: str, token: str | None = None, user: str = "", timeout_seconds: float = 5.0
    ) -> None:
        """The token goes as a bearer, or with `user` as that user's password."""
        self.base_url = base_url.rstrip("/")
        self.what = what
        self.token = token
        self.user = user
        self.retries = AT_ONCE
        self._pool = urllib3.PoolManager(
            maxsize=4, timeout=urllib3.Timeout(connect=min(2.0, timeout_seconds), read=timeout_seconds)
        )

    def call(self, method: str, path: str, body: Any = None, *, fields: dict[str, str] | None = None) -> Any:
        """The decoded answer. UsageError when the other side refused the request (4xx), NotRunning when there is none.

        `fields` go into the query string of a GET and into the form of a POST.
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
        said = answer.get("error") if isinstance(answer, dict) else None
        message = f"{self.what}: {said or f'{method} {path} answered {response.status}'}"
        if response.status in (401, 403):
            raise LabError(f"{message}; the control token does not fit this lab (is FLEETOPS_HOME right?)")
        if response.status in (400, 404, 413, 415, 422):
            raise UsageError(message)
        raise LabError(message)


def login_headers(user: str, password: str) -> dict[str, str]:
    """The header that answers a server's request for a login."""
    return dict(urllib3.make_headers(basic_auth=f"{user}:{password}"))


def _why(error: urllib3.exceptions.HTTPError) -> str:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, urllib3.exceptions.TimeoutError):
        return "timed out"
    return "connection refused" if "refused" in str(reason) else type(reason).__name__
