"""Service configuration: pushed in versions, validated before activation, rolled back one version at a time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fakes import FakePager

from lab import names
from lab.control import config
from lab.control.lab_clients import LabClients
from lab.drills import runner
from lab.errors import UsageError
from lab.paths import Ports
from lab.stack import configs, state
from lab.stack.programs import config_file
from lab.telemetry.settings import Environment


@pytest.fixture
def restarted(monkeypatch: pytest.MonkeyPatch, clients: LabClients) -> list[tuple[str, bool]]:
    """(service, at once) of each restart; nothing runs here."""
    state.make_directories(clients.home)
    object.__setattr__(clients, "ports", Ports(8000))
    calls: list[tuple[str, bool]] = []

    def record(_home: Any, _ports: Any, service: str, *, at_once: bool = False) -> list[str]:
        calls.append((service, at_once))
        return []

    monkeypatch.setattr(configs, "restart", record)
    return calls


def active_settings(clients: LabClients) -> dict[str, Any]:
    settings: dict[str, Any] = configs.current(clients.home, "feed").settings
    return settings


def test_a_push_keeps_other_settings_and_is_audited_with_old_and_new_version(
    clients: LabClients, restarted: list[tuple[str, bool]], pager: FakePager
) -> None:
    config.push(clients, "feed", {"pool_max": 12})
    config.push(clients, "feed", {"log_level": "debug"}, "look closer")
    assert active_settings(clients) == {"pool_max": 12, "log_level": "debug"}
    assert restarted == [("feed", False), ("feed", False)]
    row = list(pager.rows.values())[-1]
    assert (row["action"], row["target"], row["outcome"], row["reason"]) == (
        "config push", "feed", "done", "look closer",
    )  # fmt: skip
    assert row["old"] == {"version": 1, "settings": {"pool_max": 12}}
    assert row["new"] == {"version": 2, "settings": {"pool_max": 12, "log_level": "debug"}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"pool_max": "lots"}, "pool_max"), ({"pool_max": 0}, "from 1 to 100"), ({"pool": 4}, "known: log_level")],
)
def test_settings_that_the_service_would_reject_change_nothing(
    clients: LabClients, restarted: list[tuple[str, bool]], pager: FakePager, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        config.push(clients, "feed", changes)
    assert (active_settings(clients), restarted, pager.rows) == ({}, [], {})


def test_an_unchecked_push_activates_invalid_settings_and_each_rollback_goes_back_one_version(
    clients: LabClients, restarted: list[tuple[str, bool]]
) -> None:
    config.push(clients, "feed", {"pool_max": 12})
    config.push(clients, "feed", {"pool_max": "twelve"}, checked=False, at_once=True)
    assert restarted[-1] == ("feed", True)
    program = configs.instances(clients.home, clients.ports, "feed")[0]
    assert "pool_max='twelve' is not a number" in configs.refusal(program)
    config.rollback(clients, "feed")
    assert active_settings(clients) == {"pool_max": 12}
    assert configs.refusal(program) == ""
    config.rollback(clients, "feed")
    assert active_settings(clients) == {}
    with pytest.raises(UsageError, match="nothing to roll back to"):
        config.rollback(clients, "feed")
    # Version numbers are never reused, whatever was rolled back.
    assert config.push(clients, "feed", {"threads": 8})[1].version == 3


def test_the_canary_has_its_own_configuration_and_the_link_has_none(
    clients: LabClients, restarted: list[tuple[str, bool]]
) -> None:
    config.push(clients, "feed-canary", {"threads": 8})
    assert active_settings(clients) == {}
    with pytest.raises(UsageError, match=r"'link-db' has no configuration; .*gateway"):
        config.push(clients, "link-db", {"threads": 8})


def test_a_damaged_configuration_file_is_refused_with_the_rollback_command(
    clients: LabClients, restarted: list[tuple[str, bool]]
) -> None:
    config.push(clients, "feed", {"threads": 8})
    config_file(clients.home, "feed").write_text(json.dumps({"settings": "lost"}))
    program = configs.instances(clients.home, clients.ports, "feed")[0]
    assert "fleetops config rollback feed" in configs.refusal(program)
    config.rollback(clients, "feed")
    assert active_settings(clients) == {"threads": 8}


def test_a_staged_version_is_read_by_its_replica_alone_and_a_rollback_takes_it_back(
    clients: LabClients, restarted: list[tuple[str, bool]]
) -> None:
    config.push(clients, "feed", {"pool_max": 12})
    staged = configs.stage(clients.home, "feed", "feed-2", {"pool_max": 9}, "me", "try it")
    assert (staged.version, staged.previous) == (2, 1)
    assert active_settings(clients) == {"pool_max": 12}
    file = config_file(clients.home, "feed")

    def read(instance: str) -> str:
        variables = {names.ENV_CONFIG_FILE: str(file), names.ENV_INSTANCE: instance}
        return Environment(variables, service="feed").text(names.ENV_POOL_MAX)

    assert [read(instance) for instance in ("feed-1", "feed-2")] == ["12", "9"]
    config.rollback(clients, "feed")
    assert configs.staged(clients.home, "feed") == {}
    assert active_settings(clients) == {"pool_max": 12}
    assert [read(instance) for instance in ("feed-1", "feed-2")] == ["12", "12"]


def test_a_damaged_configuration_does_not_go_back_to_a_version_that_was_taken_back(clients: LabClients) -> None:
    state.make_directories(clients.home)
    configs.add(clients.home, "feed", {"pool_max": 12}, "me", "")
    configs.mark_taken_back(clients.home, "feed", configs.stage(clients.home, "feed", "feed-2", {}, "me", ""))
    config_file(clients.home, "feed").write_text("{")
    assert configs.current(clients.home, "feed").previous == 1


def test_no_drill_starts_while_a_configuration_is_staged(clients: LabClients) -> None:
    state.make_directories(clients.home)
    runner.require_nothing_staged(clients)
    configs.stage(clients.home, "user", "user-2", {"threads": 4}, "me", "")
    with pytest.raises(UsageError, match=r"user-2 has version 1 .* staged; wait for its push"):
        runner.require_nothing_staged(clients)
