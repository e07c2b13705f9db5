"""One run of compose.yaml with its own project name and ports."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from typing import Any

from compose_file import COMPOSE, services

from lab.clients.http import JsonClient
from lab.names import LOGIN_USER
from lab.paths import LOOPBACK, Ports

BUILD_SECONDS = 900
UP_SECONDS = 420
DOWN_SECONDS = 180


class NoEngine(Exception):
    """No container can run here; the message is the reason, in one line."""


def _run(argv: list[str], timeout: float, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, cwd=COMPOSE.parent, env={**os.environ, **variables}, timeout=timeout,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr + done.stdout).strip().splitlines()
    return lines[0] if lines else f"exit status {done.returncode}"


def find_engine() -> str:
    """The docker program of a working engine with compose. Raises NoEngine."""
    docker = shutil.which("docker")
    if docker is None:
        raise NoEngine("no docker on PATH")
    for command in (["compose", "version"], ["info", "--format", "{{.ServerVersion}}"]):
        done = _run([docker, *command], 30)
        if done.returncode != 0:
            raise NoEngine(f"docker {' '.join(command)}: {_reason(done)}")
    return docker


def free_hundreds() -> int:
    """The first port range, in hundreds, whose published ports are all free. Raises NoEngine."""
    numbers = [
        int(str(port).split(":")[1]) % 100 for service in services().values() for port in service.get("ports", [])
    ]
    for hundreds in range(170, 200):
        if all(_is_free(hundreds * 100 + number) for number in numbers):
            return hundreds
    raise NoEngine("no free hundred of ports between 17000 and 19999")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) != 0


class Project:
    """The stack of compose.yaml as one compose project."""

    def __init__(self, docker: str, name: str, hundreds: int) -> None:
        self.name = name
        self.ports = Ports(hundreds * 100)
        self._compose = [docker, "compose", "--file", str(COMPOSE), "--project-name", name]
        self._docker = docker
        self._variables = {"FLEETOPS_PORT_HUNDREDS": str(hundreds)}

    def compose(self, *arguments: str, timeout: float = 60) -> str:
        """Run a compose command; its stdout. Raises AssertionError with its output when it fails."""
        done = _run([*self._compose, *arguments], timeout, **self._variables)
        assert done.returncode == 0, f"compose {' '.join(arguments)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def pull(self) -> None:
        """Pull the official images that are missing. Raises NoEngine when that fails."""
        for service in ("prometheus", "alertmanager", "postgres", "valkey"):
            image = services()[service]["image"]
            if _run([self._docker, "image", "inspect", image], 30).returncode != 0:
                done = _run([self._docker, "pull", "--quiet", image], BUILD_SECONDS)
                if done.returncode != 0:
                    raise NoEngine(f"cannot get {image}: {_reason(done)}")

    def containers(self) -> list[dict[str, Any]]:
        """`docker inspect` of each container of the project, including stopped ones."""
        ids = self.compose("ps", "--all", "--quiet").split()
        return list(json.loads(_run([self._docker, "inspect", *ids], 60).stdout))

    def images(self) -> list[str]:
        """The name and id of the image of each service."""
        return sorted({f"{box['Config']['Image']} {box['Image'][:19]}" for box in self.containers()})

    def http(self, port: int, what: str, token: str | None = None) -> JsonClient:
        """A client of one published port."""
        return JsonClient(f"http://{LOOPBACK}:{port}", what=what, token=token, timeout_seconds=5)

    def prometheus(self) -> JsonClient:
        """A client of Prometheus with the lab's login."""
        address = f"http://{LOOPBACK}:{self.ports.prometheus}"
        return JsonClient(address, what="Prometheus", token=self.token(), user=LOGIN_USER, timeout_seconds=5)

    def token(self) -> str:
        """The control token from the shared state."""
        return self.compose("exec", "-T", "pager", "cat", "/var/lib/fleetops/token").strip()

    def logs(self) -> str:
        """The last log lines of every container, for a failure report."""
        done = _run([*self._compose, "logs", "--no-color", "--tail", "15"], 60, **self._variables)
        return done.stdout[-12000:]

    def down(self) -> None:
        """Remove the project with its volumes, but not its images."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "15", timeout=DOWN_SECONDS)

    def remains(self) -> str:
        """The ids of the project's remaining containers, volumes and networks; "" when there are none."""
        label = f"label=com.docker.compose.project={self.name}"
        remaining = [
            _run([self._docker, kind, "ls", "--quiet", "--filter", label], 30).stdout for kind in ("volume", "network")
        ]
        return "".join([self.compose("ps", "--all", "--quiet"), *remaining])
