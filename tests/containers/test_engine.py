"""The container stack for real: one command brings up everything, watched, measured and able to page."""

from __future__ import annotations

import math
import os
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from compose_file import OFFICIAL, PORTS, default_programs
from engine import BUILD_SECONDS, DOWN_SECONDS, UP_SECONDS, NoEngine, Project, find_engine, free_hundreds

from lab.errors import LabError
from lab.names import HTTP_SERVER_DURATION
from lab.oncall.deadman import ALERT
from lab.paths import RULES

pytestmark = [pytest.mark.containers, pytest.mark.timeout(BUILD_SECONDS + 2 * UP_SECONDS)]
# Where an engine must be, as in CI, its absence is a failure and no skip.
NEED_ENGINE = "FLEETOPS_NEED_ENGINE"


def slo_ids() -> set[str]:
    """Every promise of rules/slos, by the id its series carry."""
    specs = [yaml.safe_load(file.read_text()) for file in sorted((RULES / "slos").glob("*.yml"))]
    return {f"{spec['service']}-{slo['name']}" for spec in specs for slo in spec["slos"]}


def until(question: Callable[[], object], what: str, seconds: float) -> None:
    """Ask until the answer is true; a part that does not answer yet is asked again."""
    deadline = time.monotonic() + seconds
    answer: object = None
    while time.monotonic() < deadline:
        try:
            answer = question()
        except LabError as problem:  # silent, or saying that it is not ready
            answer = problem
        if answer is True:
            return
        time.sleep(0.5)
    pytest.fail(f"not within {seconds:g} s: {what}; last answer: {answer!r}"[:3000])


@pytest.fixture(scope="module")
def project(request: pytest.FixtureRequest) -> Iterator[Project]:
    try:
        stack = Project(find_engine(), f"fleetops-test-{os.getpid()}", free_hundreds())
        stack.pull()
    except NoEngine as reason:
        if os.environ.get(NEED_ENGINE):
            pytest.fail(f"{NEED_ENGINE} is set, but {reason}")
        pytest.skip(f"the container stack was not tested: {reason}")
    try:
        began = time.monotonic()
        stack.compose("build", timeout=BUILD_SECONDS)
        built = time.monotonic()
        stack.compose("up", "--detach", timeout=UP_SECONDS)
        up = time.monotonic()
        told = [f"container stack: built in {built - began:.0f} s, up in {up - built:.0f} s, from", *stack.images()]
        # Which images were behind the names is part of the result, so it is said past pytest's capture.
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            request.config.pluginmanager.getplugin("terminalreporter").write_line("\n" + "\n  ".join(told))
        yield stack
    except AssertionError as problem:
        raise AssertionError(f"{problem}\n{stack.logs()}") from None
    finally:
        stack.down()
    assert stack.remains() == ""


def ask(project: Project, query: str) -> dict[str, float]:
    """The value of each series of an instant query, by its sloth_id (or by nothing)."""
    prometheus = project.prometheus()
    result = prometheus.call("GET", "/api/v1/query", fields={"query": query})["data"]["result"]
    return {series["metric"].get("sloth_id", ""): float(series["value"][1]) for series in result}


def test_every_target_of_the_embedded_lab_is_up(project: Project) -> None:
    prometheus = project.prometheus()
    watched = {p.name for p in default_programs().values() if p.job}

    def all_up() -> object:
        targets = prometheus.call("GET", "/api/v1/targets")["data"]["activeTargets"]
        down = {t["labels"]["instance"]: t["lastError"] for t in targets if t["health"] != "up"}
        missing = watched - {t["labels"]["instance"] for t in targets}
        return True if not down and not missing else (down, missing)

    until(all_up, "every target up", 60)


def test_all_six_promises_are_measured_on_real_traffic(project: Project) -> None:
    assert len(slo_ids()) == 6
    served = 'sum(rate(traffic_requests_completed_total{http_response_status_code="200"}[10s]))'

    def answered() -> object:
        rate = ask(project, served).get("", 0.0)
        return True if rate > 10 else rate

    def measured() -> object:
        ratios = ask(project, "slo:sli_error:ratio_rate1m")
        return True if set(ratios) == slo_ids() and all(map(math.isfinite, ratios.values())) else ratios

    until(answered, "more than 10 answers a second", 60)
    until(measured, "six SLIs with data", 60)


def test_the_watchdog_arrives_again_and_again_and_nobody_is_paged_of_its_silence(project: Project) -> None:
    arrivals = f'sum({HTTP_SERVER_DURATION}_count{{http_route="/watchdog",http_response_status_code="200"}})'

    def heard() -> object:
        times = ask(project, arrivals).get("", 0.0)
        return True if times >= 3 else times

    until(heard, "the Watchdog for the third time", 60)
    pages = project.http(project.ports.pager, "the pager").call("GET", "/api/pages")["pages"]
    assert [sent for sent in pages if sent["alertname"] == ALERT] == []


def page(project: Project) -> dict[str, Any]:
    """Give Alertmanager an alert, and wait for the page that it becomes."""
    mark = uuid.uuid4().hex
    project.compose(
        "exec", "-T", "alertmanager", "amtool", f"--alertmanager.url=http://127.0.0.1:{PORTS.alertmanager}",
        "--http.config.file=/var/lib/fleetops/run/login.yml",
       "alert", "add", "alertname=ContainerPath", "severity=page", "service=feed", f"mark={mark}",
        "--annotation=summary=sent by a test",
    )  # fmt: skip
    pager = project.http(project.ports.pager, "the pager")
    found: list[dict[str, Any]] = []

    def delivered() -> object:
        found[:] = [p for p in pager.call("GET", "/api/pages")["pages"] if p["labels"].get("mark") == mark]
        return len(found) == 1 or found

    until(delivered, "the page", 30)
    return found[0]


def test_an_alert_reaches_the_pager_with_its_labels(project: Project) -> None:
    sent = page(project)
    assert (sent["alertname"], sent["severity"], sent["service"]) == ("ContainerPath", "page", "feed")
    assert sent["summary"] == "sent by a test"


def test_controls_work_from_this_machine_with_the_token_and_only_with_it(project: Project) -> None:
    address = project.ports.gateway_admin
    with pytest.raises(LabError, match="token"):
        project.http(address, "the gateway").call("GET", "/admin/state")
    gateway = project.http(address, "the gateway", project.token())
    assert gateway.call("GET", "/admin/state")["canary"]["weight_percent"] == 0
    gateway.call("PUT", "/admin/canary", {"weight_percent": 5})
    assert gateway.call("GET", "/admin/state")["canary"]["weight_percent"] == 5
    gateway.call("PUT", "/admin/canary", {"weight_percent": 0})


def test_the_console_serves_the_site_and_what_is_live(project: Project) -> None:
    live = project.http(project.ports.console, "the console", project.token()).call("GET", "/api/live")
    assert live["sources"] == {"prometheus": "ok", "pager": "ok"}
    assert {slo["id"] for slo in live["slos"]} == slo_ids()


def test_our_containers_are_healthy_not_root_and_cannot_write_their_image(project: Project) -> None:
    ours = {box["Config"]["Labels"]["com.docker.compose.service"]: box for box in project.containers()}
    ours = {name: box for name, box in ours.items() if name not in OFFICIAL}
    assert {box["Config"]["User"] for box in ours.values()} == {"10001:10001"}
    assert {box["HostConfig"]["ReadonlyRootfs"] for box in ours.values()} == {True}
    ended = {name: box["State"]["ExitCode"] for name, box in ours.items() if box["State"]["Status"] == "exited"}
    assert ended == {"init": 0, "schema": 0}

    def healthy() -> object:
        states = {
            box["Config"]["Labels"]["com.docker.compose.service"]: box["State"]["Health"]["Status"]
            for box in project.containers()
            if box["State"]["Status"] == "running"
        }
        return True if set(states.values()) == {"healthy"} else states

    until(healthy, "every container healthy", 60)


def test_nothing_is_kept_but_in_the_two_named_volumes(project: Project) -> None:
    mounts = [mount for box in project.containers() for mount in box["Mounts"] if mount["Type"] == "volume"]
    assert {mount["Name"] for mount in mounts} == {f"{project.name}_state", f"{project.name}_postgres"}


def test_pages_and_the_db_outlive_the_containers(project: Project) -> None:
    sent = page(project)
    project.compose("down", "--timeout", "15", timeout=DOWN_SECONDS)
    # The pager without those who come before it on a full start.
    project.compose("up", "--detach", "--no-deps", "init", "postgres", "schema", "pager", timeout=UP_SECONDS)
    pager = project.http(project.ports.pager, "the pager")

    def kept() -> object:
        page = pager.call("GET", f"/api/pages/{sent['id']}")
        return page["labels"] == sent["labels"] or page

    def found() -> object:
        said = project.compose("logs", "schema")
        return "already there" in said or said

    until(kept, "the page of before", 60)
    until(found, "the schema of before", 60)
