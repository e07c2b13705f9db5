"""Readiness: of each program at its own address, and of all scrape targets in Prometheus."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import urllib3

from lab.clients.http import JsonClient, login_headers
from lab.errors import LabError
from lab.names import HEADER_VERSION, LOGIN_USER
from lab.paths import LOOPBACK, Home, Ports
from lab.stack.backends import monitoring
from lab.stack.programs import Program

PROBE_SECONDS = 2.0
POLL_SECONDS = 0.15
_pool = urllib3.PoolManager(maxsize=1, retries=False, timeout=PROBE_SECONDS)


def answers(program: Program) -> bool:
    """Whether the program listens on its metrics port, the last of its ports."""
    try:
        socket.create_connection((LOOPBACK, program.ports[-1]), timeout=PROBE_SECONDS).close()
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class Readiness:
    """`reason` says why the program is not ready, or ""; `notes` are degradations with which it can serve."""

    reason: str = ""
    notes: tuple[str, ...] = ()


def readiness(program: Program) -> Readiness:
    """Probe the readiness of `program`. Does not raise."""
    if program.ready == "tcp":
        return Readiness("" if answers(program) else "connection refused")
    try:
        response = _pool.request("GET", program.ready, headers={"Connection": "close", **_login(program)})
    except urllib3.exceptions.HTTPError as error:
        return Readiness("connection refused" if "refused" in str(error) else "no answer")
    ready = response.status == 200
    try:
        body = response.json()
        failed = "; ".join(f"{name}: {result}" for name, result in body["checks"].items() if result != "ok")
        return Readiness("" if ready else failed, tuple(map(str, body["notes"])))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Readiness("" if ready else f"answers {response.status}")


def _login(program: Program) -> dict[str, str]:
    if program.token_file is None:
        return {}
    try:
        return login_headers(LOGIN_USER, program.token_file.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return {}


def readiness_of(programs: Iterable[Program]) -> dict[str, Readiness]:
    """The readiness of each program by name, probed concurrently."""
    programs = list(programs)
    with ThreadPoolExecutor(max_workers=8, thread_name_prefix="probe") as pool:
        results = pool.map(readiness, programs)
        return {program.name: result for program, result in zip(programs, results, strict=True)}


def version(program: Program) -> str:
    """The version that a service's process runs, from its answer to any request; "" when it does not answer."""
    try:
        response = _pool.request("GET", f"http://{LOOPBACK}:{program.ports[0]}/", headers={"Connection": "close"})
    except urllib3.exceptions.HTTPError:
        return ""
    return str(response.headers.get(HEADER_VERSION, ""))


def wait_ready(programs: Iterable[Program], seconds: float, check: Callable[[], None] = lambda: None) -> None:
    """Wait until all programs are ready. LabError after `seconds` names the program and the reason.

    `check` is called between probes and may raise.
    """
    deadline = time.monotonic() + seconds
    for program in programs:
        while reason := readiness(program).reason:
            check()
            if time.monotonic() > deadline:
                raise LabError(
                    f"{program.name} is not ready after {seconds:.0f} s: {reason}; see `fleetops logs {program.name}`"
                )
            time.sleep(POLL_SECONDS)


def scrape_problem(home: Home, ports: Ports, expected: Iterable[Program]) -> str:
    """Why Prometheus does not monitor the `expected` programs: a target down or no rules; "" when it does."""
    try:
        prometheus = monitoring.client(home, ports, PROBE_SECONDS)
        health = _health(prometheus)
        groups = prometheus.call("GET", "/api/v1/rules")["data"]["groups"]
    except LabError as error:
        return str(error)
    down = [program.name for program in expected if program.job and health.get(program.name) != "up"]
    if down:
        return f"not scraped yet: {', '.join(down)}"
    if not groups:
        return "no rules are loaded; run `make rules`"
    return ""


def wait_scraped(
    home: Home, ports: Ports, expected: Iterable[Program], seconds: float, check: Callable[[], None] = lambda: None
) -> None:
    """Wait until Prometheus has loaded rules and scrapes every expected target. LabError after `seconds`.

    `check` is called between probes and may raise.
    """
    deadline, programs = time.monotonic() + seconds, list(expected)
    while reason := scrape_problem(home, ports, programs):
        check()
        if time.monotonic() > deadline:
            raise LabError(f"Prometheus does not monitor the lab after {seconds:.0f} s: {reason}")
        time.sleep(POLL_SECONDS)


def wait_unscraped(home: Home, ports: Ports, removed: Iterable[Program], seconds: float) -> None:
    """Wait at most `seconds` until Prometheus no longer scrapes `removed`; not at all when it does not answer.

    Prometheus reads changed targets every five seconds. A process that stops earlier counts as down until then.
    """
    names = {program.name for program in removed}
    deadline = time.monotonic() + seconds
    try:
        prometheus = monitoring.client(home, ports, PROBE_SECONDS)
        while names and not names.isdisjoint(_health(prometheus)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    except LabError:
        return


def _health(prometheus: JsonClient) -> dict[str, str]:
    """The health of each active scrape target, by instance."""
    targets = prometheus.call("GET", "/api/v1/targets", fields={"state": "active"})["data"]["activeTargets"]
    return {target["labels"].get("instance", ""): target["health"] for target in targets}
