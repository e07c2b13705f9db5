"""A foreign page in the operator's own browser changes nothing in the lab and reads nothing from it.

The browser has the console's key. The page tries all that a page can do: fetch, forms, images, scripts, beacons and
event streams, from another port of this host, from another host name, and by DNS rebinding from the lab's own ports.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chromium
import pytest
from embedded import EmbeddedLab
from made_up_console import expect_mode
from playwright.sync_api import Browser, Page
from published import serve

from lab.clients.alertmanager import Alertmanager
from lab.clients.gateway import GatewayAdmin
from lab.clients.pager import Pager
from lab.drills.run.stoppable import runner
from lab.stack.console_key import console_url

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(chromium.program() is None, reason="no Chromium on PATH"),
    pytest.mark.timeout(300, func_only=True),
]
EVIL = "evil.example"
MARK = "MadeByAForeignPage"
LATER = "2099-01-01T00:00:00Z"
ALERT = {"labels": {"alertname": MARK, "severity": "page", "service": "feed"}, "annotations": {}, "startsAt": LATER}
NOTICE = {**ALERT, "status": "firing", "startsAt": "2026-01-01T00:00:00Z", "endsAt": LATER, "fingerprint": "0" * 16}
AUDIT = {"id": MARK, "at": LATER, "actor": MARK, "action": MARK, "target": MARK, "outcome": "done"}
SILENCE = {
    "matchers": [{"name": "alertname", "value": ".*", "isRegex": True, "isEqual": True}],
    "startsAt": "2026-01-01T00:00:00Z", "endsAt": LATER, "createdBy": MARK, "comment": MARK,
}  # fmt: skip

ATTACK = (Path(__file__).parent / "web" / "foreign_page.js").read_text()


def attempts(host: str, lab: EmbeddedLab) -> list[dict[str, Any]]:
    """Requests to the lab under the name `host` that would change something or read something."""
    ports = lab.ports
    tried: list[tuple[int, str, str, Any]] = [
        (ports.alertmanager, "POST", "/api/v2/silences", SILENCE),
        (ports.alertmanager, "POST", "/api/v2/alerts", [ALERT]),
        (ports.alertmanager, "GET", "/api/v2/status", None),
        (ports.prometheus, "POST", "/-/quit", {}),
        (ports.prometheus, "POST", "/-/reload", {}),
        (ports.prometheus, "GET", "/api/v1/query?query=up", None),
        (ports.pager, "POST", "/alertmanager", {"version": "4", "status": "firing", "alerts": [NOTICE]}),
        (ports.pager, "POST", "/api/pages/close", {"before": LATER}),
        (ports.pager, "POST", "/api/pages/1/ack", {"by": MARK}),
        (ports.pager, "POST", "/api/audit", AUDIT),
        (ports.pager, "GET", "/api/audit", None),
        (ports.console, "POST", "/api/run", {"command": "fleetops flag set canary off", "by": MARK}),
        (ports.console, "POST", "/api/drills", {"id": "INC-001", "responder": "autopilot", "by": MARK}),
        (ports.console, "POST", "/api/drills/stop", {"by": MARK}),
        (ports.console, "POST", "/api/pages/1/ack", {"by": MARK}),
        (ports.console, "GET", "/api/live", None),
        (ports.console, "GET", "/api/query?query=up", None),
        (ports.gateway_admin, "PUT", "/admin/canary", {"weight_percent": 50}),
        (ports.gateway_admin, "PUT", "/admin/flags/canary", {"enabled": False}),
        (ports.gateway_admin, "GET", "/admin/state", None),
        (ports.gateway, "PUT", "/v1/users/1", {"display_name": MARK}),
        (ports.traffic_admin, "PUT", "/admin/rate", {"requests_per_second": 1}),
        (ports.link_db_admin, "PUT", "/admin/delay", {"extra_delay_seconds": 1}),
    ]
    return [{"method": how, "url": f"http://{host}:{port}{path}", "body": body} for port, how, path, body in tried]


def state(lab: EmbeddedLab) -> dict[str, Any]:
    """The state that the page tries to change, and every trace of its mark."""
    pager, alertmanager = Pager.of(lab.home, lab.ports), Alertmanager.of(lab.home, lab.ports).http
    # From the user service itself: the attack fills the gateway, which then refuses anonymous requests first.
    with urllib.request.urlopen(f"http://127.0.0.1:{lab.ports.replica('user', 1)[0]}/v1/users/1") as answer:
        user = json.load(answer)["display_name"]
    return {
        "silences": alertmanager.call("GET", "/api/v2/silences"),
        "alerts": [one for one in alertmanager.call("GET", "/api/v2/alerts") if one["labels"]["alertname"] == MARK],
        "pages": [(page.id, page.acked_by) for page in pager.pages() if MARK in str(page)],
        "audit": [row for row in pager.audit() if MARK in str(row)],
        "gateway": GatewayAdmin.of(lab.home, lab.ports).state(),
        "user": user == MARK,  # the traffic edits names too
        "drill": runner(lab.home),
        "processes": {name: row.pid for name, row in lab.processes().items()},
    }


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser that resolves the foreign host name to this machine."""
    with chromium.browser(f"--host-resolver-rules=MAP {EVIL} 127.0.0.1") as started:
        yield started


@pytest.fixture
def operators(browser: Browser, lab: EmbeddedLab) -> Iterator[Page]:
    """A tab of the operator's browser, which has the console's key."""
    with browser.new_context() as context:
        page = context.new_page()
        give_key(page, lab)
        yield page


def give_key(page: Page, lab: EmbeddedLab) -> None:
    """Let the browser exchange the console's key for its cookie, as the URL of `fleetops status` does."""
    url = console_url(f"http://127.0.0.1:{lab.ports.console}", lab.home)
    assert page.context.request.get(url, max_redirects=0).status == 303


def begin(page: Page, host: str, lab: EmbeddedLab) -> None:
    """Begin all attempts at once in a tab."""
    streams = [f"http://{host}:{lab.ports.console}/api/events"] * 12
    page.evaluate(
        f"{ATTACK}\nwindow.reading = attack({json.dumps(attempts(host, lab))}, {json.dumps(streams)}); undefined"
    )


def read_by(page: Page) -> list[str]:
    """What the page could read, once all its attempts have ended."""
    read: list[str] = page.evaluate("window.reading")
    return read


@pytest.mark.parametrize("origin", ["127.0.0.1", EVIL])
def test_a_page_of_another_origin_changes_nothing_reads_nothing_and_blocks_nobody(
    lab: EmbeddedLab, browser: Browser, operators: Page, origin: str, tmp_path: Path
) -> None:
    (tmp_path / "index.html").write_text("<!doctype html><title>elsewhere</title>")
    before = state(lab)
    with serve(tmp_path) as url:
        chromium.visit(operators, url.replace("127.0.0.1", origin) + "/")
        begin(operators, "127.0.0.1", lab)
        assert read_by(operators) == []
        with browser.new_page() as another:  # while the foreign page holds every stream that it could open
            give_key(another, lab)
            chromium.visit(another, f"http://127.0.0.1:{lab.ports.console}/lab/")
            expect_mode(another, "live")
    assert state(lab) == before


def test_dns_rebinding_gives_no_access(lab: EmbeddedLab, operators: Page) -> None:
    """The origin of each page is a port of the lab under a foreign name.

    Alertmanager and Prometheus answer 401 under any name, for which a browser shows no page.
    """
    before = state(lab)
    tabs = [operators, operators.context.new_page(), operators.context.new_page()]
    for tab, port in zip(tabs, (lab.ports.console, lab.ports.pager, lab.ports.gateway), strict=True):
        tab.goto(f"http://{EVIL}:{port}/livez")
        assert tab.evaluate("location.hostname") == EVIL
        begin(tab, EVIL, lab)
    assert [read_by(tab) for tab in tabs] == [[], [], []]
    assert state(lab) == before
