"""Access to the live console: browsers with its key and programs with the control token, but no foreign page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sources import TOKEN, MadeUpPager, MadeUpPrometheus, settings, watcher

from lab.console import actions as actions_module
from lab.console.__main__ import create_app
from lab.console.actions import ConsoleActions
from lab.drills.runbook.execute import Ran
from lab.paths import RUNBOOKS, Home
from lab.stack.console_key import console_key, console_url
from lab.stack.state import RunState, write
from lab.telemetry.process import Telemetry

KEY = console_key(TOKEN)
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Lab:
    """A console beside a lab that seems to run; `done` lists the actions that it executed."""

    def __init__(self, folder: Path) -> None:
        site = folder / "site"
        (site / "lab").mkdir(parents=True)
        (site / "index.html").write_text("tour")
        (site / "lab" / "index.html").write_text("console")
        self.home = Home(folder / "home")
        self.pager = MadeUpPager()
        telemetry = Telemetry(settings(self.home.path))
        self.draining = telemetry.health.draining
        self.home.run.mkdir(parents=True)
        write(self.home, RunState("ready", 1, 1, 8000, "http://127.0.0.1:8000", 0.0, 1.0, False))
        self.commands: list[str] = []
        sources = watcher(MadeUpPrometheus(), self.pager)
        self.app: Flask = create_app(site, sources, ConsoleActions(self.home, RUNBOOKS), telemetry)

    @property
    def done(self) -> list[object]:
        return [*self.commands, *self.pager.acked]

    def send(self, headers: dict[str, str]) -> int:
        """The status of a request for live data with exactly these headers."""
        return self.app.test_client(use_cookies=False).get("/api/live", headers=headers).status_code

    def with_key(self) -> FlaskClient:
        client = self.app.test_client()
        client.get(f"/?key={KEY}")
        return client


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    made = Lab(tmp_path)

    def run(command: str, _actor: str) -> Ran:
        made.commands.append(command)
        return Ran(command, 0, "done", 0.0, 0.1)

    monkeypatch.setattr(actions_module, "run_command", run)
    yield made
    made.draining.set()


def live_routes(app: Flask) -> list[tuple[str, str]]:
    """Method and path of every API route except /source.json."""
    return [
        (method, rule.rule.replace("<id:page_id>", "7"))
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("api.") and rule.endpoint != "api.source"
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


BODY = {"command": "fleetops canary weight 0", "by": "ada"}


def test_without_a_key_no_live_route_answers_and_pages_are_readable(lab: Lab) -> None:
    stranger = lab.app.test_client()
    routes = live_routes(lab.app)
    assert {("POST", "/api/run"), ("GET", "/api/events"), ("GET", "/api/query")} <= set(routes)
    for method, path in routes:
        answer = stranger.open(path, method=method, json=BODY if method == "POST" else None)
        assert (answer.status_code, method, path) == (401, method, path)
        assert "fleetops status" in answer.get_json()["error"]
    assert lab.done == []
    assert stranger.get("/").text == "tour"
    assert stranger.get("/lab/").text == "console"
    assert stranger.get("/api/source.json").get_json() == {"live": True, "key": False}


def test_the_key_is_exchanged_for_a_cookie_and_leaves_the_url(lab: Lab) -> None:
    client = lab.app.test_client()
    answer = client.get(f"/lab/?replay=INC-001&key={KEY}&t=2")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/lab/?replay=INC-001&t=2")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/api/"} <= set(cookie.split("; "))
    assert KEY not in cookie
    assert TOKEN not in cookie
    assert client.get("/api/source.json").get_json() == {"live": True, "key": True}
    assert client.post("/api/run", json=BODY).status_code == 200
    assert lab.done == ["fleetops canary weight 0"]


@pytest.mark.parametrize("key", ["", "x", TOKEN, KEY[:-1], KEY + "0", KEY.upper(), "\u00e9", "\ud800"])
def test_a_wrong_key_gives_no_access(lab: Lab, key: str) -> None:
    client = lab.app.test_client()
    answer = client.get("/", query_string={"key": key.encode("utf-8", "replace")})
    assert answer.status_code == 403
    assert "fleetops status" in answer.text
    assert "Set-Cookie" not in answer.headers
    assert client.get("/api/live").status_code == 401


def test_a_redirect_never_leaves_the_console(lab: Lab) -> None:
    for path in ("//evil.test/", "/\\evil.test/", "/http://evil.test/", "/a\r\nb"):
        answer = lab.app.test_client().get(f"/?key={KEY}", environ_overrides={"PATH_INFO": path})
        assert answer.headers["Location"].startswith("/")
        assert not answer.headers["Location"].startswith(("//", "/\\"))


def test_two_labs_on_one_host_have_separate_cookies(lab: Lab) -> None:
    client = lab.app.test_client()
    names = {
        client.get(f"/?key={KEY}", headers={"Host": host}).headers["Set-Cookie"].partition("=")[0]
        for host in ("127.0.0.1:8000", "127.0.0.1:9000")
    }
    assert names == {"fleetops-console-8000", "fleetops-console-9000"}


def test_a_cookie_survives_a_restart_of_the_console_and_ends_with_the_token(lab: Lab, tmp_path: Path) -> None:
    value = lab.app.test_client().get(f"/?key={KEY}").headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    cookie = {"Cookie": f"fleetops-console-80={value}"}
    restarted = Lab(tmp_path / "restarted")  # another process with the same token
    assert restarted.send(cookie) == 200
    lab.home.token.write_text("another-token-of-the-made-up-lab")
    assert lab.send(cookie) == 401
    lab.home.token.unlink()
    assert lab.send(cookie) == 401
    assert lab.app.test_client().get(f"/?key={KEY}").status_code == 403


@pytest.mark.parametrize("value", ["", "x", "x.y", ".", "\u00e9", KEY, TOKEN, "a" * 4000])
def test_a_forged_cookie_gives_no_access(lab: Lab, value: str) -> None:
    assert lab.send({"Cookie": f"fleetops-console-80={value}".encode().decode("latin-1")}) == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (BEARER, 200),
        ({"Authorization": f"bearer  {TOKEN}"}, 200),
        ({"Authorization": f"Basic {TOKEN}"}, 401),
        ({"Authorization": TOKEN}, 401),
        ({"Authorization": f"Bearer {KEY}"}, 401),
        ({"Authorization": "Bearer \u00e9"}, 401),
        ({**BEARER, "Host": "evil.test"}, 403),
        ({**BEARER, "Origin": "http://evil.test"}, 403),
        ({**BEARER, "Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_a_program_needs_the_control_token(lab: Lab, headers: dict[str, str], status: int) -> None:
    answer = lab.app.test_client().post("/api/run", json=BODY, headers=headers)
    assert answer.status_code == status
    assert lab.done == (["fleetops canary weight 0"] if status == 200 else [])


FOREIGN = [
    {"Origin": "http://evil.test"},
    {"Origin": "null"},
    {"Origin": "http://localhost:9999"},  # the same site, so the browser sends the cookie
    {"Origin": "https://localhost"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
    {"Host": "evil.test"},
    {"Host": "localhost.evil.test"},
    {"Host": "evil.test", "Origin": "http://evil.test"},  # DNS rebinding: its own origin
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_a_foreign_page_is_refused_everywhere_even_in_a_browser_with_the_key(lab: Lab, headers: dict[str, str]) -> None:
    client = lab.with_key()
    for method, path in [*live_routes(lab.app), ("GET", "/api/source.json")]:
        answer = client.open(path, method=method, json=BODY if method == "POST" else None, headers=headers)
        assert (answer.status_code, method, path) == (403, method, path)
    assert lab.done == []
    held = [client.get("/api/events") for _ in range(4)]  # the refused requests used none of the browser's streams
    assert {answer.status_code for answer in held} == {200}
    for answer in held:
        answer.close()


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}],
)
def test_the_consoles_own_pages_are_served(lab: Lab, headers: dict[str, str]) -> None:
    assert lab.with_key().post("/api/run", json=BODY, headers=headers).status_code == 200


def test_another_host_name_gets_no_page(lab: Lab) -> None:
    answer = lab.app.test_client().get("/lab/", headers={"Host": "evil.test"})
    assert (answer.status_code, "127.0.0.1" in answer.text) == (403, True)


def test_the_printed_url_opens_the_console_and_does_not_hold_the_token(lab: Lab) -> None:
    url = console_url("http://127.0.0.1:8000", lab.home)
    assert url == f"http://127.0.0.1:8000/?key={KEY}"
    assert TOKEN not in url
    assert lab.app.test_client().get(url).status_code == 303
    lab.home.token.unlink()
    assert console_url("http://127.0.0.1:8000", lab.home) == "http://127.0.0.1:8000"
