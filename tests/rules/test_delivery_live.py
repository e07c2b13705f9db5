"""Delivery from Alertmanager to the pager: both programs real, configured as in the lab."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import chromium
import pytest
import yaml
from embedded import free_base
from playwright.sync_api import expect
from support import eventually, fire, running

from lab import names
from lab.clients.alertmanager import Alertmanager
from lab.clients.documents import Page
from lab.clients.http import login_headers
from lab.clients.pager import Pager
from lab.paths import Home, Ports
from lab.slo import promtool
from lab.stack import programs, state
from lab.stack.backends import monitoring
from lab.stack.programs import url

pytestmark = pytest.mark.promtool
SILENCE = {
    "matchers": [{"name": "alertname", "value": "Watchdog", "isRegex": False, "isEqual": False}],
    "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z", "createdBy": "a page", "comment": "test",
}  # fmt: skip


@dataclass(frozen=True)
class Delivery:
    """An Alertmanager and the pager that it delivers to."""

    home: Home
    ports: Ports

    @property
    def address(self) -> str:
        return url(self.ports.alertmanager)

    @property
    def token(self) -> str:
        return self.home.token.read_text().strip()

    @property
    def alertmanager(self) -> Alertmanager:
        return Alertmanager.of(self.home, self.ports)

    def pages(self) -> list[Page]:
        return Pager.of(self.home, self.ports).pages(only_open=True)

    def names(self) -> set[str]:
        return {page.alertname for page in self.pages()}

    def post(self, path: str, body: Any, **headers: str) -> int:
        """The status with which Alertmanager answers a request from another site."""
        sent = {"Origin": "http://evil.example", "Content-Type": "application/json", **headers}
        request = urllib.request.Request(f"{self.address}{path}", json.dumps(body).encode(), sent)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refusal:
            return refusal.code


@pytest.fixture
def delivery(tmp_path: Path) -> Iterator[Delivery]:
    home, ports = Home(tmp_path / "home"), Ports(free_base())
    state.make_directories(home)
    tools = {name: promtool.find(name) for name in ("prometheus", "alertmanager")}
    table = programs.table(home, ports, tools)
    monitoring.render(home, ports, table.values())
    alertmanager, pager = table["alertmanager"], table["pager"]
    assert pager.argv[0] == sys.executable
    with (
        running(pager.argv, home.logs / "pager.log", env=dict(pager.env)),
        running(alertmanager.argv, home.logs / "alertmanager.log", cwd=alertmanager.cwd),
    ):
        delivery = Delivery(home, ports)
        eventually(lambda: Pager.of(home, ports).pages() == [], "the pager answers", 60)
        eventually(delivery.alertmanager.status, "Alertmanager answers", 60)
        yield delivery


def test_another_site_can_neither_silence_nor_create_nor_read_alerts(delivery: Delivery) -> None:
    invented = [{"labels": {"alertname": "Invented", "severity": "page"}}]
    wrong = login_headers(names.LOGIN_USER, "a guess")["authorization"]
    for headers in ({}, {"Authorization": wrong}, {"Content-Type": "text/plain"}):
        assert delivery.post("/api/v2/silences", SILENCE, **headers) == 401
        assert delivery.post("/api/v2/alerts", invented, **headers) == 401
    for read in ("/api/v2/alerts", "/metrics", "/-/ready"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{delivery.address}{read}", timeout=5)
    assert delivery.alertmanager.silences() == []
    fire(delivery.address, [{"alertname": "Real", "severity": "page"}], token=delivery.token)
    eventually(lambda: delivery.names() == {"Real"}, "the real page, and no other")


def test_another_site_cannot_use_the_login_of_a_browser(delivery: Delivery) -> None:
    """It may send requests without a preflight, but Alertmanager accepts JSON only and refuses the preflight (401)."""
    login = login_headers(names.LOGIN_USER, delivery.token)["authorization"]
    assert delivery.post("/api/v2/silences", SILENCE, **{"Authorization": login, "Content-Type": "text/plain"}) == 415
    preflight = urllib.request.Request(f"{delivery.address}/api/v2/silences", method="OPTIONS")
    preflight.add_header("Origin", "http://evil.example")
    preflight.add_header("Access-Control-Request-Method", "POST")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(preflight, timeout=5)


def test_a_silence_is_shown_with_its_matchers_creator_and_end(delivery: Delivery) -> None:
    login = login_headers(names.LOGIN_USER, delivery.token)["authorization"]
    assert delivery.post("/api/v2/silences", SILENCE, Authorization=login) == 200
    (silence,) = delivery.alertmanager.silences()
    assert str(silence).endswith(': {alertname!="Watchdog"} by a page until 2099-01-01T00:00:00.000Z')
    amtool = [str(promtool.find("amtool")), f"--alertmanager.url={delivery.address}"]
    done = subprocess.run(
        [*amtool, f"--http.config.file={delivery.home.run / 'login.yml'}", "silence", "expire", silence.ident],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert delivery.alertmanager.silences() == []


def test_a_nameless_alert_a_storm_and_a_huge_annotation_block_no_other_page(delivery: Delivery) -> None:
    """Each of them would block every later page if one bad alert failed its whole notification."""
    page = {"severity": "page", "service": "feed"}
    fire(delivery.address, [page, {**page, "alertname": "Beside"}], token=delivery.token)
    fire(delivery.address, [{**page, "alertname": "Long"}], token=delivery.token, description="x" * 2**20)
    storm = [{**page, "alertname": "Storm", "instance": f"host-{number}"} for number in range(1300)]
    fire(delivery.address, storm, token=delivery.token, description="x" * 900)
    fire(
        delivery.address,
        [{"alertname": "GatewayDown", "severity": "page", "service": "gateway"}],
        token=delivery.token,
    )
    expected = {"Beside", "UnreadableAlert", "Long", "Storm", "GatewayDown"}
    eventually(lambda: delivery.names() == expected, "a page of each kind", 60)
    eventually(lambda: len(delivery.pages()) == 1304, "every page of the storm", 60)


def test_a_page_reports_the_alerts_that_alertmanager_left_out(delivery: Delivery) -> None:
    config = delivery.home.run / "alertmanager.yml"
    loaded = yaml.safe_load(config.read_text())
    (webhook,) = next(receiver for receiver in loaded["receivers"] if receiver["name"] == "pager")["webhook_configs"]
    webhook["max_alerts"] = 10
    config.write_text(yaml.safe_dump(loaded))
    login = login_headers(names.LOGIN_USER, delivery.token)["authorization"]
    assert delivery.post("/-/reload", None, Authorization=login) == 200
    storm = [{"alertname": "Storm", "severity": "page", "instance": f"{number}"} for number in range(47)]
    fire(delivery.address, storm, token=delivery.token)
    eventually(lambda: delivery.names() == {"Storm", "NotificationTruncated"}, "the page about it")
    (truncated,) = (page for page in delivery.pages() if page.alertname == "NotificationTruncated")
    assert truncated.summary == "37 alerts were left out"


TRY_EVERYTHING = """(async () => {
  const tries = { "/api/v2/silences": SILENCE, "/api/v2/alerts": ALERTS };
  const statuses = [];
  for (const [path, body] of Object.entries(tries))
    for (const credentials of ["omit", "include"])
      for (const [mode, type] of [["cors", "application/json"], ["no-cors", "application/json"], ["no-cors", "text/plain"], ["no-cors", ""]]) {
        const sent = new Blob([JSON.stringify(body)], { type });
        try { statuses.push((await fetch(ADDRESS + path, { method: "POST", mode, credentials, body: sent })).status); }
        catch { statuses.push("blocked"); }
      }
  return statuses;
})()"""  # noqa: E501


@pytest.mark.skipif(chromium.program() is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("logged_in", [False, True], ids=["never logged in", "logged in"])
def test_a_real_browser_on_another_origin_changes_nothing(delivery: Delivery, tmp_path: Path, logged_in: bool) -> None:
    (tmp_path / "index.html").write_text("<!doctype html><title>another site</title>")
    script = TRY_EVERYTHING.replace("SILENCE", json.dumps(SILENCE)).replace("ADDRESS", json.dumps(delivery.address))
    script = script.replace("ALERTS", json.dumps([{"labels": {"alertname": "Invented", "severity": "page"}}]))
    elsewhere = partial(QuietHandler, directory=tmp_path)
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), elsewhere) as server,
        chromium.browser() as browser,
        browser.new_page() as page,
    ):
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        if logged_in:
            login = f"http://{names.LOGIN_USER}:{delivery.token}@"
            page.goto(f"{delivery.address}/api/v2/status".replace("http://", login))
            expect(page.locator("body")).to_contain_text("versionInfo")
        page.goto(f"http://localhost:{server.server_port}/")
        statuses = page.evaluate(script)
        server.shutdown()
    assert len(statuses) == 16
    assert set(statuses) <= {"blocked", 0}, "an answer can be read"
    assert delivery.alertmanager.silences() == []
    assert delivery.alertmanager.http.call("GET", "/api/v2/alerts") == []


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder without logging."""

    def log_message(self, *_: object) -> None:
        pass
