"""Client of Alertmanager's HTTP API: its status, and the silences that suppress notifications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.clients.http import JsonClient
from lab.clients.pager import read_token
from lab.names import LOGIN_USER
from lab.paths import LOOPBACK, Home, Ports
from lab.plaintext import plain

Fields = dict[str, Any]  # an object of the API, of which only some keys are read
WATCHDOG_RECEIVER = "watchdog"  # of rules/alertmanager.yml
_TEXT_LIMIT = 200


@dataclass(frozen=True)
class Silence:
    """An active silence: `matchers` in Alertmanager's notation, `ends_at` as an RFC 3339 string."""

    ident: str
    matchers: str
    created_by: str
    ends_at: str
    comment: str

    def __str__(self) -> str:
        return f"{self.ident}: {{{self.matchers}}} by {self.created_by or 'nobody'} until {self.ends_at}"


@dataclass(frozen=True)
class Status:
    """The running Alertmanager: its version, and its configuration as the YAML it was started with."""

    version: str
    config: str


class Alertmanager:
    """The API of one Alertmanager, behind the lab's login. Raises NotRunning when it does not answer."""

    def __init__(self, url: str, token: str | None = None, timeout_seconds: float = 2.0) -> None:
        self.http = JsonClient(url, what="Alertmanager", token=token, user=LOGIN_USER, timeout_seconds=timeout_seconds)

    @classmethod
    def of(cls, home: Home, ports: Ports) -> Alertmanager:
        """The Alertmanager of the lab in `home` on `ports`; NotRunning when no lab was ever started there."""
        return cls(f"http://{LOOPBACK}:{ports.alertmanager}", read_token(home))

    def status(self) -> Status:
        """Version and configuration, from /api/v2/status."""
        fields = self.http.call("GET", "/api/v2/status")
        return Status(str(fields["versionInfo"]["version"]), str(fields["config"]["original"]))

    def active_alerts(self) -> dict[str, bool]:
        """Every alert that has not ended: by fingerprint, whether it is to be a page.

        It is not while it is silenced or inhibited, nor if it is the Watchdog.
        """
        alerts = self.http.call("GET", "/api/v2/alerts")
        return {str(fields["fingerprint"]): _paged(fields) for fields in alerts}

    def silences(self) -> list[Silence]:
        """Every active silence."""
        silences = self.http.call("GET", "/api/v2/silences")
        return [_silence(fields) for fields in silences if fields["status"]["state"] == "active"]


def _paged(fields: Fields) -> bool:
    receivers = {receiver["name"] for receiver in fields["receivers"]}
    return fields["status"]["state"] == "active" and receivers != {WATCHDOG_RECEIVER}


def _silence(fields: Fields) -> Silence:
    def text(value: Any) -> str:
        return plain(str(value), _TEXT_LIMIT)

    return Silence(
        text(fields.get("id", "")),
        ", ".join(_matcher(matcher) for matcher in fields.get("matchers", [])),
        text(fields.get("createdBy", "")),
        text(fields.get("endsAt", "")),
        text(fields.get("comment", "")),
    )


def _matcher(fields: Fields) -> str:
    operators = {(True, False): "=", (True, True): "=~", (False, False): "!=", (False, True): "!~"}
    operator = operators[bool(fields.get("isEqual", True)), bool(fields.get("isRegex", False))]
    return plain(f'{fields.get("name", "")}{operator}"{fields.get("value", "")}"', _TEXT_LIMIT)
