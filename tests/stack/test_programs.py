"""The program table, and the configuration rendered from it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

import bcrypt
import pytest
import yaml
from support import free_port

from lab import names
from lab.errors import SpecError, UsageError
from lab.paths import MAX_REPLICAS, Home, Ports
from lab.stack import replicas, state
from lab.stack.backends import monitoring
from lab.stack.health import probes
from lab.stack.processes import supervision
from lab.stack.programs import DEFAULT_REPLICAS, Program

PORTS = Ports(8000)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    state.make_directories(home)
    return home


@pytest.fixture
def table(home: Home) -> Mapping[str, Program]:
    return replicas.known(home, PORTS)


def test_no_two_programs_share_a_port_and_all_are_in_the_labs_range(table: Mapping[str, Program]) -> None:
    used = [port for program in table.values() for port in program.ports]
    assert len(used) == len(set(used))
    assert all(8000 <= port < 8100 for port in used)


def test_every_replica_is_declared_and_only_the_default_ones_start(table: Mapping[str, Program]) -> None:
    for service, count in DEFAULT_REPLICAS.items():
        declared = [program for program in table.values() if program.service == service]
        assert len(declared) == MAX_REPLICAS
        assert sum(program.default for program in declared) == count


def test_no_secret_is_in_an_environment_or_command_line(home: Home, table: Mapping[str, Program]) -> None:
    token = home.token.read_text().strip()
    table_text = json.dumps([[list(program.argv), dict(program.env)] for program in table.values()])
    assert token not in table_text
    assert home.token.stat().st_mode & 0o077 == 0


def test_every_listener_binds_to_loopback(table: Mapping[str, Program]) -> None:
    for program in table.values():
        for name in (names.ENV_LISTEN, names.ENV_ADMIN_LISTEN):
            if name in program.env:
                assert program.env[name].startswith("127.0.0.1:")


def test_prometheus_scrapes_every_second_and_has_the_site_label(home: Home, table: Mapping[str, Program]) -> None:
    """Scrape and evaluation interval 1 s, `site` an external label but on no alert, instances named after programs."""
    monitoring.render(home, PORTS, table.values())
    config = yaml.safe_load((home.run / "prometheus.yml").read_text())
    assert config["global"]["scrape_interval"] == config["global"]["evaluation_interval"] == "1s"
    assert config["global"]["external_labels"] == {"site": "http://127.0.0.1:8000"}
    assert config["alerting"]["alert_relabel_configs"] == [{"action": "labeldrop", "regex": "site"}]
    jobs = {job["job_name"] for job in config["scrape_configs"]}
    assert jobs == {
        "gateway",
        "user",
        "feed",
        "link",
        "traffic",
        "exporter",
        "pager",
        "console",
        "prometheus",
        "alertmanager",
    }
    feed = json.loads((home.run / "targets" / "feed.json").read_text())
    assert [(t["labels"]["instance"], t["targets"]) for t in feed] == [
        ("feed-1", ["127.0.0.1:8041"]),
        ("feed-2", ["127.0.0.1:8043"]),
        ("feed-canary-1", ["127.0.0.1:8061"]),
    ]


def test_a_job_without_running_programs_has_an_empty_target_list(home: Home, table: Mapping[str, Program]) -> None:
    monitoring.render(home, PORTS, table.values(), targets=())
    assert json.loads((home.run / "targets" / "gateway.json").read_text()) == []


def test_the_rendered_configurations_are_accepted_by_the_tools(
    home: Home, table: Mapping[str, Program], tools: dict[str, Path]
) -> None:
    monitoring.render(home, PORTS, table.values())
    monitoring.check(home, tools)


def test_an_unknown_placeholder_in_a_template_is_refused_by_name(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "alertmanager.yml"
    template.write_text("# ${anything} in a comment is ignored\nurl: ${nope}\n")
    monkeypatch.setattr(monitoring, "ALERTMANAGER_TEMPLATE", template)
    with pytest.raises(SpecError, match=r"alertmanager\.yml: unknown placeholder 'nope'; known: pager_url"):
        monitoring.alertmanager_config(home, PORTS)


def test_a_start_deletes_the_notification_log_and_silences_of_the_previous_run(home: Home) -> None:
    data = home.data / "alertmanager"
    data.mkdir(parents=True)
    for name in ("nflog", "silences"):
        (data / name).write_bytes(b"of the previous run")
    monitoring.forget_notifications(home)
    assert list(data.iterdir()) == []


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_prometheus_and_alertmanager_require_the_login_and_prometheus_uses_it(
    home: Home, table: Mapping[str, Program], name: str
) -> None:
    monitoring.render(home, PORTS, table.values())
    assert f"--web.config.file={home.run / 'web.yml'}" in table[name].argv
    users = yaml.safe_load((home.run / "web.yml").read_text())["basic_auth_users"]
    token = home.token.read_text().strip()
    assert bcrypt.checkpw(token.encode(), users[names.LOGIN_USER].encode())
    assert (home.run / "web.yml").stat().st_mode & 0o077 == 0
    config = yaml.safe_load((home.run / "prometheus.yml").read_text())
    logged_in = {"username": names.LOGIN_USER, "password_file": str(home.token)}
    scrapes = {scrape["job_name"]: scrape.get("basic_auth") for scrape in config["scrape_configs"]}
    assert {job: auth for job, auth in scrapes.items() if auth} == dict.fromkeys(monitoring.SERVERS, logged_in)
    assert [target["basic_auth"] for target in config["alerting"]["alertmanagers"]] == [logged_in]


def test_the_socket_moves_when_the_path_of_the_state_directory_is_too_long(tmp_path: Path) -> None:
    """The path of a unix socket has at most about 100 characters; two state directories never share a socket."""
    deep = [Home(tmp_path / ("x" * 90) / name) for name in "ab"]
    paths = [supervision.socket_path(home) for home in deep]
    assert all(len(str(path)) <= supervision.LONGEST_SOCKET_PATH for path in paths)
    assert paths[0] != paths[1]


@pytest.mark.parametrize(
    ("service", "count", "message"),
    [("gateway", 2, "'gateway' cannot be scaled"), ("feed", 0, "1 to 8"), ("feed", 9, "1 to 8")],
)
def test_an_invalid_scale_request_is_refused_before_anything_changes(
    home: Home, service: str, count: int, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        replicas.scale(home, PORTS, service, count)


def test_removing_a_replica_does_not_wait_for_a_prometheus_that_is_down(
    home: Home, table: Mapping[str, Program]
) -> None:
    """A replica that Prometheus does not scrape cannot count as down."""
    unused = Ports(free_port() - (PORTS.prometheus - PORTS.base))
    probes.wait_unscraped(home, unused, [table["feed-2"]], math.inf)


def test_a_service_name_selects_its_replicas_and_an_unknown_name_lists_the_known(home: Home) -> None:
    assert [p.name for p in replicas.instances(home, PORTS, "feed")] == ["feed-1", "feed-2"]
    assert [p.name for p in replicas.instances(home, PORTS, "feed-canary-1")] == ["feed-canary-1"]
    with pytest.raises(UsageError, match=r"no service 'fed'; known: alertmanager, .*feed, feed-1"):
        replicas.instances(home, PORTS, "fed")
