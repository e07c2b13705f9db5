"""Is it ready? Asked of each program at its own address, and of Prometheus about all of them."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import urllib3

from lab.clients.http import JsonClient, login_headers
from lab.errors import LabError
from lab.names import LOGIN_USER
from lab.paths import LOOPBACK, Home, Ports
from lab.stack.backends import monitoring
from lab.stack.programs import Program

PROBE_SECONDS = 2.0
POLL_SECONDS = 0.15
_pool = urllib3.PoolManager(maxsize=1, retries=False, timeout=PROBE_SECONDS)


def answers(program: Program) -> bool:
    """Whether something listens on the last of the program's ports, the one that it serves metrics on."""
    try:
        socket.create_connection((LOOPBACK, program.ports[-1]), timeout=PROBE_SECONDS).close()
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class Readiness:
    """`reason` is empty when the program is ready; `notes` is what an operator should know though it can serve."""

    reason: str = ""
    notes: tuple[str, ...] = ()


def readiness(program: Program) -> Readiness:
    """What `program` answers, in a few words."""
    if program.ready == "tcp":
        return Readiness("" if answers(program) else "connection refused")
    try:
        answer = _pool.request("GET", program.ready, headers={"Connection": "close", **_login(program)})
    except urllib3.exceptions.HTTPError as error:
        return Readiness("connection refused" if "refused" in str(error) else "no answer")
    ready = answer.status == 200
    try:
        said = answer.json()
        failed = "; ".join(f"{name}: {result}" for name, result in said["checks"].items() if result != "ok")
        return Readiness("" if ready else failed, tuple(map(str, said["notes"])))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Readiness("" if ready else f"answers {answer.status}")


def _login(program: Program) -> dict[str, str]:
    if program.token_file is None:
        return {}
    try:
        return login_headers(LOGIN_USER, program.token_file.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        return {}


def ask_all(programs: Iterable[Program]) -> dict[str, Readiness]:
    """The readiness of each program, all asked at once."""
    programs = list(programs)
    with ThreadPoolExecutor(max_workers=8, thread_name_prefix="probe") as pool:
        answered = pool.map(readiness, programs)
        return {program.name: answer for program, answer in zip(programs, answered, strict=True)}


def wait_ready(programs: Iterable[Program], seconds: float, check: Callable[[], None] = lambda: None) -> None:
    """Wait until all are ready. `check` is called on the way and may raise. LabError names a late one, and why."""
    deadline = time.monotonic() + seconds
    for program in programs:
        while reason := readiness(program).reason:
            check()
            if time.monotonic() > deadline:
                raise LabError(
                    f"{program.name} is not ready after {seconds:.0f} s: {reason}; see `fleetops logs {program.name}`"
                )
            time.sleep(POLL_SECONDS)


def why_not_watched(home: Home, ports: Ports, expected: Iterable[Program]) -> str:
    """Empty when Prometheus has loaded rules and every expected target is up, else the reason in a few words."""
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


def wait_watched(
    home: Home, ports: Ports, expected: Iterable[Program], seconds: float, check: Callable[[], None] = lambda: None
) -> None:
    """Wait until Prometheus has loaded rules and every expected target is up. `check` is called on the way, may raise.

    LabError names what is missing after `seconds`.
    """
    deadline, programs = time.monotonic() + seconds, list(expected)
    while reason := why_not_watched(home, ports, programs):
        check()
        if time.monotonic() > deadline:
            raise LabError(f"the lab is not watched after {seconds:.0f} s: {reason}")
        time.sleep(POLL_SECONDS)


def wait_unwatched(home: Home, ports: Ports, gone: Iterable[Program], seconds: float) -> None:
    """Wait until Prometheus scrapes none of `gone` any more: `seconds` at most, and not at all when it does not answer.

    It takes up changed targets every five seconds. A process that stops before counts as down until then.
    """
    names = {program.name for program in gone}
    deadline = time.monotonic() + seconds
    try:
        prometheus = monitoring.client(home, ports, PROBE_SECONDS)
        while names and not names.isdisjoint(_health(prometheus)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    except LabError:
        return


def _health(prometheus: JsonClient) -> dict[str, str]:
    """What Prometheus scrapes now: the health of each instance."""
    targets = prometheus.call("GET", "/api/v1/targets", fields={"state": "active"})["data"]["activeTargets"]
    return {target["labels"].get("instance", ""): target["health"] for target in targets}
