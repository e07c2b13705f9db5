"""Client of the pager's HTTP API, and the control token that every client sends."""

from __future__ import annotations

from typing import Any

from lab.clients.documents import AuditRow, Page, convert
from lab.clients.http import JsonClient
from lab.errors import LabError, NotRunning
from lab.paths import LOOPBACK, Home, Ports


class Pager:
    """The API of one pager. Raises NotRunning when it does not answer, LabError when its answer is malformed."""

    def __init__(self, url: str, token: str | None = None, timeout_seconds: float = 5.0) -> None:
        self.http = JsonClient(url, what="the pager", token=token, timeout_seconds=timeout_seconds)

    @classmethod
    def of(cls, home: Home, ports: Ports) -> Pager:
        """The pager of the lab in `home` on `ports`; NotRunning when no lab was ever started there."""
        return cls(f"http://{LOOPBACK}:{ports.pager}", read_token(home))

    def pages(self, *, only_open: bool = False) -> list[Page]:
        """Every open page and the latest resolved ones (none with `only_open`), newest first."""
        return self.listing(only_open=only_open)[0]

    def listing(self, *, only_open: bool = False) -> tuple[list[Page], int]:
        """The result of `pages`, and the number of older resolved pages it leaves out."""
        answer = self.http.call("GET", "/api/pages", fields={"state": "open"} if only_open else {})
        return convert(answer["pages"], list[Page], self.http.what), int(answer.get("resolved_left_out", 0))

    def page(self, page_id: int) -> Page:
        """One page. Raises UsageError when no page has that id."""
        return convert(self.http.call("GET", f"/api/pages/{page_id}"), Page, self.http.what)

    def ack(self, page_id: int, by: str) -> tuple[Page, bool]:
        """Acknowledge a page; returns it, and False when it had been acknowledged before (the first one stays)."""
        answer = self.http.call("POST", f"/api/pages/{page_id}/ack", {"by": by})
        return convert(answer, Page, self.http.what), bool(answer["acked_by_this_call"])

    def close_left_open(self, before: str) -> int:
        """Resolve the open pages received before a timestamp; returns their number."""
        return int(self.http.call("POST", "/api/pages/close", {"before": before})["closed"])

    def audit(self, since: str = "", last: int | None = None) -> list[AuditRow]:
        """Audit rows from the timestamp `since` on (all when empty), or the `last` ones of them, oldest first."""
        fields = {"since": since, "last": "" if last is None else str(last)}
        answer = self.http.call("GET", "/api/audit", fields={name: value for name, value in fields.items() if value})
        return convert(answer["audit"], list[AuditRow], self.http.what)

    def record(self, row: dict[str, Any]) -> None:
        """Add an audit row, or complete the pending one with the same id. `row` is an AuditRow as JSON.

        It is JSON because a spooled row may be of an older version; the pager validates it.
        """
        self.http.call("POST", "/api/audit", row)


def read_token(home: Home) -> str:
    """The control token of a lab. Raises NotRunning when no lab was ever started there, LabError when unreadable."""
    try:
        return home.token.read_text(encoding="ascii").strip()
    except FileNotFoundError as error:
        raise NotRunning(f"no lab has been started in {home.path}; start it with 'fleetops up'") from error
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not plain text"
        raise LabError(
            f"cannot read the control token {home.token}: {why}; run as the user who started the lab"
        ) from error
