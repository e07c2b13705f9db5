"""Every Flask app of the lab, assembled as in its process, with in-process fakes of its dependencies.

The gateway calls the user and feed apps in this process, the fake database rejects the values that PostgreSQL rejects,
the pager has its real SQLite store, and commands of the console are validated like the operating system would, not run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from flask import Flask
from services_support import TOKEN
from sources import MadeUpPager, MadeUpPrometheus, watcher

from lab import names
from lab.console import __main__ as console
from lab.console import actions
from lab.drills.runbook.execute import Ran
from lab.drills.spec.drill import catalogue
from lab.oncall import app as pager_app
from lab.oncall.deadman import DeadMansSwitch
from lab.oncall.intake import Intake
from lab.oncall.store import Store as PageStore
from lab.paths import RUNBOOKS, Home
from lab.services import link as link_module
from lab.services import user as user_module
from lab.services.cache import Cache
from lab.services.db import Database
from lab.services.feed import app as feed_app
from lab.services.feed.canary import CanaryPages
from lab.services.feed.hot_feeds import HotFeeds
from lab.services.feed.page_cache import PageCache
from lab.services.feed.profiles import Profiles
from lab.services.gateway import admin as gateway_admin
from lab.services.gateway import app as gateway_app
from lab.services.gateway.comparison import Comparison
from lab.services.gateway.rate_limit import Quota, RateLimiter
from lab.services.gateway.state import State
from lab.services.gateway.store import Store
from lab.services.upstream import ClientMetrics, Replica, Reply, Upstream
from lab.stack.state import RunState, write
from lab.telemetry import metrics
from lab.telemetry.auth import AdminAuth
from lab.telemetry.process import Telemetry
from lab.telemetry.settings import Address, Environment, Settings
from lab.traffic import __main__ as traffic
from lab.traffic.generator import Generator

USERS = 20_000
# The functions that create an app, and an app below that each creates. New functions must be added here.
FACTORIES: dict[str, str] = {
    "lab/telemetry/web.py:new_app": "gateway",
    "lab/telemetry/process.py:admin_app": "user-admin",
    "lab/services/gateway/app.py:create_app": "gateway",
    "lab/services/user.py:create_app": "user",
    "lab/services/feed/app.py:create_app": "feed",
    "lab/services/link.py:admin_app": "link",
    "lab/traffic/__main__.py:admin_app": "traffic",
    "lab/oncall/app.py:create_app": "pager",
    "lab/console/__main__.py:create_app": "console",
}


class PostgresLike:
    """A fake database with the users 1 to USERS, which rejects the values that psycopg and PostgreSQL reject."""

    operations = 0

    def rows(self, operation: str, _query: object, values: Sequence[Any] | dict[str, Any]) -> list[tuple[Any, ...]]:
        """Like `Session.rows`, for the operations of the user and feed services."""
        parameters = list(values.values()) if isinstance(values, dict) else list(values)
        for value in parameters:
            if isinstance(value, str):
                value.encode()
                if "\0" in value:
                    raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
            if isinstance(value, int) and not -(2**31) <= value < 2**31:
                raise psycopg.errors.NumericValueOutOfRange("integer out of range")
        if operation not in ("user.select", "user.update"):
            return []
        user_id = parameters[-1]
        name, bio = (parameters[0] or "Ann", parameters[1] or "") if operation == "user.update" else ("Ann", "")
        exists = 0 < user_id <= USERS
        return [(user_id, f"u{user_id}", name, bio, datetime(2026, 1, 2, tzinfo=UTC))] if exists else []

    def row(self, operation: str, query: object, values: Sequence[Any] | dict[str, Any]) -> tuple[Any, ...] | None:
        """The first row, or None."""
        return next(iter(self.rows(operation, query, values)), None)

    @contextmanager
    def session(self) -> Iterator[PostgresLike]:
        """Like `Database.session`: errors about values propagate, because they are not failures of the database."""
        yield self


class InMemoryCache(Cache):
    """A cache in this process."""

    def __init__(self, telemetry: Telemetry, name: str) -> None:
        super().__init__("valkey://127.0.0.1:9/0", name=name, ttl_seconds=60, registry=telemetry.registry)
        self._client = cast(Any, self)
        self.values: dict[str, bytes] = {}

    def get(self, key: str) -> Any:
        """A value; the method of both Cache and its client."""
        return self.values.get(key)

    def set(self, key: str, value: bytes, **_options: Any) -> None:
        """Like the client's method."""
        self.values[key] = value

    def delete(self, key: str) -> None:
        """Delete a value."""
        self.values.pop(key, None)


class InThisProcess(Upstream):
    """An upstream that calls one of the apps directly."""

    def __init__(self, name: str, app: Flask, telemetry_metrics: ClientMetrics) -> None:
        self._app = app
        super().__init__(name, ["http://127.0.0.1:9"], 1.0, telemetry_metrics)

    def _send(self, _replica: Replica, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        answer = self._app.test_client().open(path, method=method, headers=dict(headers), data=body)
        return Reply(answer.status_code, dict(answer.headers), answer.data)


def every_app(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Flask]:
    """The apps by name, each with the state it needs in `folder`."""
    token = folder / "token"
    token.write_text(TOKEN)

    def settings(service: str) -> Settings:
        variables = {
            names.ENV_LISTEN: "127.0.0.1:8000",
            names.ENV_ADMIN_LISTEN: "127.0.0.1:8001",
            names.ENV_TOKEN_FILE: str(token),
            names.ENV_TRACE_SLOW: "0.2",
        }
        return Settings.read(service, environment=Environment(variables), version="1.0.0", token=True)

    def telemetry(service: str) -> Telemetry:
        return Telemetry(settings(service), edge=service == "gateway")

    apps: dict[str, Flask] = {}
    database = cast(Database, PostgresLike())

    process = telemetry("user")
    apps["user"] = user_module.create_app(process, user_module.Profiles(database, InMemoryCache(process, "user")))
    apps["user-admin"] = process.admin_app()

    process = telemetry("feed")
    hot_feeds, profiles = HotFeeds(), Profiles(InThisProcess("user", apps["user"], ClientMetrics(process.registry)))
    pages = CanaryPages(database, PageCache(InMemoryCache(process, "feed"), process.registry), profiles)
    apps["feed"] = feed_app.create_app(process, pages, hot_feeds)
    apps["feed-admin"] = process.admin_app()
    feed_app.add_admin_routes(apps["feed-admin"], hot_feeds)

    process = telemetry("gateway")
    client_metrics = ClientMetrics(process.registry)
    upstream_apps = {
        names.UPSTREAM_USER: apps["user"],
        names.UPSTREAM_FEED: apps["feed"],
        names.UPSTREAM_CANARY: apps["feed"],
    }
    upstreams = {name: InThisProcess(name, app, client_metrics) for name, app in upstream_apps.items()}
    unlimited = Quota(1e6, 1e6, 1e6, 1e6)
    store = Store(folder / "gateway", State(ratelimit=unlimited))
    apps["gateway"] = gateway_app.create_app(process, store, RateLimiter(unlimited), upstreams, Comparison())

    # A separate gateway, because the requests set arbitrary settings.
    apps["gateway-admin"] = gateway_with_settings(folder / "gateway-admin", telemetry("gateway"))

    process = telemetry("pager")
    pages_store = PageStore(folder / "pager.sqlite3")
    process.registry.register(pager_app.PageCounts(pages_store))
    switch = DeadMansSwitch(pages_store, "http://127.0.0.1:8000")
    intake = Intake(pages_store, "http://127.0.0.1:8000", process.registry)
    apps["pager"] = pager_app.create_app(pages_store, switch, intake)
    with_one_port(apps["pager"], process)
    AdminAuth(process.settings, prefix="", open_reads=True).init_app(apps["pager"])

    process = telemetry("console")
    apps["console"] = console.create_app(
        a_site(folder / "site"),
        watcher(MadeUpPrometheus(), MadeUpPager()),
        console_actions(Home(folder / "home"), monkeypatch),
        process,
    )

    process = telemetry("traffic")
    apps["traffic"] = traffic.admin_app(process, Generator("http://127.0.0.1:8010", 1.0, process.registry))

    apps["link"] = asyncio.run(a_link(telemetry("link")))
    return apps


def with_one_port(app: Flask, telemetry: Telemetry) -> None:
    """Sets up an app like the processes with one port."""
    telemetry.init_app(app)
    telemetry.health.init_app(app)
    metrics.expose(app, telemetry.registry)


def gateway_with_settings(folder: Path, telemetry: Telemetry) -> Flask:
    """A gateway's admin app. Asserts that a restarted gateway accepts every state that this one has accepted."""
    store = Store(folder, State())
    client_metrics = ClientMetrics(telemetry.registry)
    upstreams = {name: Upstream(name, urls, 1.0, client_metrics) for name, urls in store.state.upstreams.items()}
    controls = gateway_admin.Controls(telemetry, store, RateLimiter(store.state.ratelimit), upstreams, Comparison())
    change = controls.change

    def checked(step: Callable[..., State], *values: Any) -> Any:
        answer = change(step, *values)
        restarted = Store(folder, State())
        assert (restarted.state, restarted.refused) == (store.state, ())
        for name, urls in restarted.state.upstreams.items():
            upstreams[name].build(urls)
        return answer

    controls.change = checked  # type: ignore[method-assign]
    app = telemetry.admin_app()
    gateway_admin.add_routes(app, controls)
    return app


def a_site(folder: Path) -> Path:
    """A built site of a few files."""
    (folder / "lab").mkdir(parents=True)
    for name in ("index.html", "404.html", "lab/index.html"):
        (folder / name).write_text("<h1>site</h1>")
    return folder


def console_actions(home: Home, monkeypatch: pytest.MonkeyPatch) -> actions.ConsoleActions:
    """The console's actions for a lab that appears to be running; commands are not run, drills end immediately."""
    home.run.mkdir(parents=True)
    home.data.mkdir()
    home.logs.mkdir()
    write(home, RunState("ready", 1, 1, 8000, "http://127.0.0.1:8000/", 0.0, 1.0, False))

    def not_run(command: str, actor: str) -> Ran:
        for text in (command, actor):
            if b"\0" in text.encode():
                raise ValueError("embedded null byte")
        return Ran(command, 0, "done", 0.0, 0.1)

    monkeypatch.setattr(actions, "run_command", not_run)
    monkeypatch.setattr(actions, "fleetops", lambda: ["true"])
    return actions.ConsoleActions(home, RUNBOOKS, tuple(catalogue()))


async def a_link(telemetry: Telemetry) -> Flask:
    """The delay proxy's admin app; the proxy itself does not listen."""
    upstream = Address("127.0.0.1", 9)
    return link_module.admin_app(telemetry, link_module.Link(telemetry, upstream, 0.011), upstream)
