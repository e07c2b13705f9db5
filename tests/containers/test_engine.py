"""The container stack, run by an engine: one command starts everything, monitored and able to page."""

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
# With this variable set, as in CI, a missing engine is a failure instead of a skip.
NEED_ENGINE = "FLEETOPS_NEED_ENGINE"


def slo_ids() -> set[str]:
    """The id of every SLO in rules/slos."""
    specs = [yaml.safe_load(file.read_text()) for file in sorted((RULES / "slos").glob("*.yml"))]
    return {f"{spec['service']}-{slo['name']}" for spec in specs for slo in spec["slos"]}


def until(condition: Callable[[], object], expected: str, seconds: float) -> None:
    """Poll until the condition returns True; a LabError counts as not yet."""
    deadline = time.monotonic() + seconds
    answer: object = None
    while time.monotonic() < deadline:
        try:
            answer = condition()
        except LabError as error:
            answer = error
        if answer is True:
            return
        time.sleep(0.5)
    pytest.fail(f"not within {seconds:g} s: {expected}; last answer: {answer!r}"[:3000])


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
        report = [f"container stack: built in {built - began:.0f} s, up in {up - built:.0f} s, from", *stack.images()]
        # The image ids are part of the result, so they bypass pytest's capture.
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            request.config.pluginmanager.getplugin("terminalreporter").write_line("\n" + "\n  ".join(report))
        yield stack
    except AssertionError as error:
        raise AssertionError(f"{error}\n{stack.logs()}") from None
    finally:
        stack.down()
    assert stack.remains() == ""


def query_values(project: Project, query: str) -> dict[str, float]:
    """The value of each series of an instant query, by its sloth_id, or "" without one."""
    prometheus = project.prometheus()
    result = prometheus.call("GET", "/api/v1/query", fields={"query": query})["data"]["result"]
    return {series["metric"].get("sloth_id", ""): float(series["value"][1]) for series in result}


def test_every_target_of_the_embedded_lab_is_up(project: Project) -> None:
    prometheus = project.prometheus()
    expected = {p.name for p in default_programs().values() if p.job}

    def all_up() -> object:
        targets = prometheus.call("GET", "/api/v1/targets")["data"]["activeTargets"]
        down = {t["labels"]["instance"]: t["lastError"] for t in targets if t["health"] != "up"}
        missing = expected - {t["labels"]["instance"] for t in targets}
        return True if not down and not missing else (down, missing)

    until(all_up, "every target up", 60)


def test_all_six_slos_are_measured_on_real_traffic(project: Project) -> None:
    assert len(slo_ids()) == 6
    served = 'sum(rate(traffic_requests_completed_total{http_response_status_code="200"}[10s]))'

    def answered() -> object:
        rate = query_values(project, served).get("", 0.0)
        return True if rate > 10 else rate

    def measured() -> object:
        ratios = query_values(project, "slo:sli_error:ratio_rate1m")
        return True if set(ratios) == slo_ids() and all(map(math.isfinite, ratios.values())) else ratios

    until(answered, "more than 10 answers a second", 60)
    until(measured, "six SLIs with data", 60)


def test_the_watchdog_arrives_repeatedly_and_the_dead_mans_switch_does_not_page(project: Project) -> None:
    arrivals = f'sum({HTTP_SERVER_DURATION}_count{{http_route="/watchdog",http_response_status_code="200"}})'

    def arrived() -> object:
        times = query_values(project, arrivals).get("", 0.0)
        return True if times >= 3 else times

    until(arrived, "the third Watchdog notification", 60)
    pages = project.http(project.ports.pager, "the pager").call("GET", "/api/pages")["pages"]
    assert [page for page in pages if page["alertname"] == ALERT] == []


def send_page(project: Project) -> dict[str, Any]:
    """Send Alertmanager an alert and wait for its page."""
    mark = uuid.uuid4().hex
    project.compose(
        "exec", "-T", "alertmanager", "amtool", f"--alertmanager.url=http://127.0.0.1:{PORTS.alertmanager}",
        "--http.config.file=/var/lib/fleetops/run/login.yml",
       "alert", "add", "alertname=ContainerPath", "severity=page", "service=feed", f"mark={mark}",
        "--annotation=summary=sent by a test",
    )  # fmt: skip
    pager = project.http(project.ports.pager, "the pager")
    delivered_pages: list[dict[str, Any]] = []

    def delivered() -> object:
        delivered_pages[:] = [p for p in pager.call("GET", "/api/pages")["pages"] if p["labels"].get("mark") == mark]
        return len(delivered_pages) == 1 or delivered_pages

    until(delivered, "the page", 30)
    return delivered_pages[0]


def test_an_alert_reaches_the_pager_with_its_labels(project: Project) -> None:
    sent = send_page(project)
    assert (sent["alertname"], sent["severity"], sent["service"]) == ("ContainerPath", "page", "feed")
    assert sent["summary"] == "sent by a test"


def test_controls_need_the_token(project: Project) -> None:
    address = project.ports.gateway_admin
    with pytest.raises(LabError, match="token"):
        project.http(address, "the gateway").call("GET", "/admin/state")
    gateway = project.http(address, "the gateway", project.token())
    assert gateway.call("GET", "/admin/state")["canary"]["weight_percent"] == 0
    gateway.call("PUT", "/admin/canary", {"weight_percent": 5})
    assert gateway.call("GET", "/admin/state")["canary"]["weight_percent"] == 5
    gateway.call("PUT", "/admin/canary", {"weight_percent": 0})


def test_the_console_serves_live_data(project: Project) -> None:
    live = project.http(project.ports.console, "the console", project.token()).call("GET", "/api/live")
    assert live["sources"] == {"prometheus": "ok", "pager": "ok"}
    assert {slo["id"] for slo in live["slos"]} == slo_ids()


def test_the_labs_containers_are_healthy_not_root_and_have_a_read_only_image(project: Project) -> None:
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


def test_data_is_in_the_two_named_volumes_only(project: Project) -> None:
    mounts = [mount for box in project.containers() for mount in box["Mounts"] if mount["Type"] == "volume"]
    assert {mount["Name"] for mount in mounts} == {f"{project.name}_state", f"{project.name}_postgres"}


def test_pages_and_the_database_outlive_the_containers(project: Project) -> None:
    sent = send_page(project)
    project.compose("down", "--timeout", "15", timeout=DOWN_SECONDS)
    # Only the pager and the database, without the pager's other dependencies.
    project.compose("up", "--detach", "--no-deps", "init", "postgres", "schema", "pager", timeout=UP_SECONDS)
    pager = project.http(project.ports.pager, "the pager")

    def kept() -> object:
        page = pager.call("GET", f"/api/pages/{sent['id']}")
        return page["labels"] == sent["labels"] or page

    def schema_exists() -> object:
        output = project.compose("logs", "schema")
        return "schema: already" in output or output

    until(kept, "the earlier page", 60)
    until(schema_exists, "the earlier schema", 60)
