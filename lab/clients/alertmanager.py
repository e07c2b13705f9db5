"""Questions to Alertmanager: its status, and the silences that keep pages from being told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.clients.http import JsonClient
from lab.clients.pager import read_token
from lab.names import LOGIN_USER
from lab.paths import LOOPBACK, Home, Ports
from lab.plaintext import plain

_TEXT_LIMIT = 200


@dataclass(frozen=True)
class Silence:
    """One silence that is active now: `matchers` as Alertmanager writes them, `ends_at` an RFC 3339 text."""

    ident: str
    matchers: str
    created_by: str
    ends_at: str
    comment: str

    def __str__(self) -> str:
        return f"{self.ident}: {{{self.matchers}}} by {self.created_by or 'nobody'} until {self.ends_at}"


class Alertmanager:
    """The API of one Alertmanager, which asks for the lab's login."""

    def __init__(self, url: str, token: str | None = None, timeout_seconds: float = 2.0) -> None:
        self.http = JsonClient(url, what="Alertmanager", token=token, user=LOGIN_USER, timeout_seconds=timeout_seconds)

    @classmethod
    def of(cls, home: Home, ports: Ports) -> Alertmanager:
        """The Alertmanager of the lab that lives in `home` on `ports`."""
        return cls(f"http://{LOOPBACK}:{ports.alertmanager}", read_token(home))

    def status(self) -> dict[str, Any]:
        """Version and configuration, as /api/v2/status gives them."""
        return dict(self.http.call("GET", "/api/v2/status"))

    def silences(self) -> list[Silence]:
        """Every silence that is active now."""
        told = self.http.call("GET", "/api/v2/silences")
        return [_silence(one) for one in told if one["status"]["state"] == "active"]


def _silence(told: dict[str, Any]) -> Silence:
    def text(value: Any) -> str:
        return plain(str(value), _TEXT_LIMIT)

    return Silence(
        text(told.get("id", "")),
        ", ".join(_matcher(one) for one in told.get("matchers", [])),
        text(told.get("createdBy", "")),
        text(told.get("endsAt", "")),
        text(told.get("comment", "")),
    )


def _matcher(told: dict[str, Any]) -> str:
    operators = {(True, False): "=", (True, True): "=~", (False, False): "!=", (False, True): "!~"}
    operator = operators[bool(told.get("isEqual", True)), bool(told.get("isRegex", False))]
    return plain(f'{told.get("name", "")}{operator}"{told.get("value", "")}"', _TEXT_LIMIT)
