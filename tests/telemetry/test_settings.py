"""A process with invalid settings does not start and prints one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import names
from lab.errors import UsageError
from lab.telemetry.settings import Environment, Settings, checked_url

GOOD = {names.ENV_LISTEN: "127.0.0.1:8010", names.ENV_ADMIN_LISTEN: "127.0.0.1:8011"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (names.ENV_LISTEN, ""),
        (names.ENV_LISTEN, "8010"),
        (names.ENV_LISTEN, "localhost:8010"),
        (names.ENV_LISTEN, "127.0.0.1:99999"),
        (names.ENV_THREADS, "many"),
        (names.ENV_THREADS, "2.5"),
        (names.ENV_THREADS, "nan"),
        (names.ENV_LOG_LEVEL, "loud"),
        (names.ENV_VERSION, "1.0 {}"),
        (names.ENV_TOKEN_FILE, "/does/not/exist"),
    ],
)
def test_an_invalid_variable_is_refused_by_name(name: str, value: str, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef")
    with pytest.raises(UsageError, match=name) as refused:
        Settings.read("probe", environment=Environment({**GOOD, names.ENV_TOKEN_FILE: str(token), name: value}))
    assert "\n" not in str(refused.value)


def test_a_short_token_is_refused(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("short\n")
    with pytest.raises(UsageError, match="no token of 16"):
        Settings.read("probe", environment=Environment({**GOOD, names.ENV_TOKEN_FILE: str(token)}))


@pytest.mark.parametrize(
    "url", ["127.0.0.1:80", "https://a:1", "http://a", "http://a:1/x", "http://u@a:1", "http://a:x", "http://[::1", ""]
)
def test_an_upstream_must_be_a_base_url(url: str) -> None:
    with pytest.raises(UsageError, match="is not a base URL"):
        checked_url(url, "urls")


@pytest.mark.parametrize(
    "module",
    [
        "lab.services.gateway",
        "lab.services.user",
        "lab.services.feed",
        "lab.services.link",
        "lab.services.schema",
        "lab.traffic",
    ],
)
def test_a_process_without_its_variables_exits_2_with_one_line(module: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FLEETOPS_")}
    done = subprocess.run(
        [sys.executable, "-m", module], env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "FLEETOPS_" in done.stderr


def test_a_setting_of_the_file_is_used_without_a_variable_and_named_when_it_is_invalid(tmp_path: Path) -> None:
    file = tmp_path / "current.json"
    file.write_text('{"version": 7, "settings": {"threads": 5, "pool_max": "lots", "log_level": "loud"}}')
    variables = {names.ENV_CONFIG_FILE: str(file), names.ENV_LOG_LEVEL: "debug"}
    env = Environment(variables, service="feed")
    assert env.config_version == 7
    assert env.integer(names.ENV_THREADS, 16, 1, 512) == 5
    assert env.text(names.ENV_LOG_LEVEL) == "debug"
    with pytest.raises(UsageError, match=r"current\.json: pool_max='lots' is not a number"):
        env.integer(names.ENV_POOL_MAX, 8, 1, 100)
    file.write_text('{"version": 8, "settings": {"pool_max": 4}}')
    with pytest.raises(UsageError, match=r"current\.json: pool_max: no such setting of gateway; known: log_level"):
        Environment(variables, service="gateway")
