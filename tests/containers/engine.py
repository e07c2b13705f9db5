"""One run of compose.yaml under a project name and on ports of its own."""

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
    """Why no container can be run here, in one line."""


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
    for question in (["compose", "version"], ["info", "--format", "{{.ServerVersion}}"]):
        done = _run([docker, *question], 30)
        if done.returncode != 0:
            raise NoEngine(f"docker {' '.join(question)}: {_reason(done)}")
    return docker


def free_hundreds() -> int:
    """A hundred of ports of which every published one is free."""
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
        """Have the official images here. Raises NoEngine when they cannot be had."""
        for service in ("prometheus", "alertmanager", "postgres", "valkey"):
            image = services()[service]["image"]
            if _run([self._docker, "image", "inspect", image], 30).returncode != 0:
                done = _run([self._docker, "pull", "--quiet", image], BUILD_SECONDS)
                if done.returncode != 0:
                    raise NoEngine(f"cannot get {image}: {_reason(done)}")

    def containers(self) -> list[dict[str, Any]]:
        """What the engine knows about each container of the project, stopped ones too."""
        ids = self.compose("ps", "--all", "--quiet").split()
        return list(json.loads(_run([self._docker, "inspect", *ids], 60).stdout))

    def images(self) -> list[str]:
        """The image behind each service: its name, and the digest of what was run."""
        return sorted({f"{box['Config']['Image']} {box['Image'][:19]}" for box in self.containers()})

    def http(self, port: int, what: str, token: str | None = None) -> JsonClient:
        """A client of one published port."""
        return JsonClient(f"http://{LOOPBACK}:{port}", what=what, token=token, timeout_seconds=5)

    def prometheus(self) -> JsonClient:
        """A client of Prometheus, which asks for the lab's login."""
        address = f"http://{LOOPBACK}:{self.ports.prometheus}"
        return JsonClient(address, what="Prometheus", token=self.token(), user=LOGIN_USER, timeout_seconds=5)

    def token(self) -> str:
        """The control token, out of the shared state."""
        return self.compose("exec", "-T", "pager", "cat", "/var/lib/fleetops/token").strip()

    def logs(self) -> str:
        """The last lines of everything, for a failure's report."""
        done = _run([*self._compose, "logs", "--no-color", "--tail", "15"], 60, **self._variables)
        return done.stdout[-12000:]

    def down(self) -> None:
        """Take the project down with its volumes; the images stay."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "15", timeout=DOWN_SECONDS)

    def remains(self) -> str:
        """What the engine still holds of the project."""
        label = f"label=com.docker.compose.project={self.name}"
        left = [
            _run([self._docker, kind, "ls", "--quiet", "--filter", label], 30).stdout for kind in ("volume", "network")
        ]
        return "".join([self.compose("ps", "--all", "--quiet"), *left])
