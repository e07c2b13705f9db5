"""The console as a lab serves it, over fakes of Prometheus and the pager."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect
from sources import TOKEN, MadeUpPager, MadeUpPrometheus, settings, watcher
from support import free_port

from lab.console.__main__ import create_app
from lab.console.actions import ConsoleActions
from lab.drills.spec.drill import catalogue
from lab.paths import RUNBOOKS, Home
from lab.stack.console_key import console_key
from lab.stack.state import RunState, write
from lab.telemetry.process import Telemetry
from lab.telemetry.server import Server
from lab.telemetry.settings import Address


def expect_mode(page: Page, mode: str, limit_ms: float | None = None) -> None:
    """Wait until the console of a page is in a mode: live, lost or replay."""
    expect(page.locator("#live-console")).to_have_attribute("data-mode", mode, timeout=limit_ms)


class Console:
    """The console's app on a port of its own, which a test can stop and start; its lab seems to run in `home`."""

    def __init__(self, site: Path, home: Path) -> None:
        self.site = site
        self.home = Home(home)
        self.home.run.mkdir(parents=True)
        self.home.data.mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.pager = MadeUpPager()
        self.prometheus = MadeUpPrometheus()
        write(self.home, RunState("ready", 1, 1, self.port, self.url, 0.0, 1.0, False))

    @property
    def url_with_key(self) -> str:
        """The URL that `fleetops up` prints."""
        return f"{self.url}/?key={console_key(TOKEN)}"

    def give_key(self, page: Page) -> None:
        """Let the browser of a tab exchange the key for its cookie; no page is opened."""
        assert page.context.request.get(self.url_with_key, max_redirects=0).status == 303

    def start(self) -> None:
        """Start to serve."""
        telemetry = Telemetry(settings(self.home.path))
        self.draining = telemetry.health.draining
        sources = watcher(self.prometheus, self.pager)
        app = create_app(self.site, sources, ConsoleActions(self.home, RUNBOOKS, tuple(catalogue())), telemetry)
        self.server = Server(app, Address("127.0.0.1", self.port), threads=16)
        self.server.run_in_thread("console")

    def stop(self) -> None:
        """Drain and stop, as the process does on SIGTERM."""
        self.draining.set()
        self.server.drain(5)
