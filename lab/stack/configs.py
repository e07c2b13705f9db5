"""Versioned configuration of the services: the mechanics. The audited verbs that people type are in lab/control.

data/config/SERVICE/ holds one immutable file a version and `current.json`, a copy of the one in force, which the
service reads at its start. Version 0 is no file: the built-in defaults. A version knows the one it replaced, so a
rollback goes back a step each time and never forward to what was left.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab import names
from lab.atomic_write import write_json
from lab.clients.times import utc_text
from lab.errors import LabError, SpecError, UsageError
from lab.paths import Home, Ports
from lab.stack import replicas
from lab.stack.health import probes
from lab.stack.processes.supervision import Supervisor
from lab.stack.programs import Program, config_file
from lab.telemetry import json_text
from lab.telemetry.config import SETTINGS

CHECK_SECONDS = 20.0


@dataclass(frozen=True)
class Version:
    """One version of a service's configuration; `previous` is the version it replaced."""

    version: int = 0
    previous: int = 0
    at: str = ""
    author: str = ""
    reason: str = "built-in defaults"
    settings: dict[str, Any] = field(default_factory=dict)


def instances(home: Home, ports: Ports, service: str) -> list[Program]:
    """The running programs of `service`; UsageError when it has no configuration, listing those that have."""
    having = [program for program in replicas.expected(home, ports) if program.job in SETTINGS]
    found = [program for program in having if program.service == service]
    if not found:
        raise UsageError(
            f"{service!r} has no configuration; {', '.join(dict.fromkeys(program.service for program in having))} have"
        )
    return found


def settings_of(program: Program) -> list[str]:
    """What may be set in the configuration of `program`."""
    return list(SETTINGS[program.job])


def versions(home: Home, service: str) -> list[Version]:
    """Every version ever pushed, the oldest first; version 0 is not among them."""
    return [_read(path) for path in sorted(config_file(home, service).parent.glob("[0-9]*.json"))]


def current(home: Home, service: str) -> Version:
    """The version in force; a damaged file is version -1, which replaced the last one."""
    path = config_file(home, service)
    try:
        return _read(path) if path.exists() else Version()
    except SpecError:
        known = versions(home, service)
        return Version(-1, known[-1].version if known else 0, reason="the file is damaged")


def find(home: Home, service: str, version: int) -> Version:
    """One version; UsageError when there is none of that number."""
    if version == 0:
        return Version()
    path = _file(home, service, version)
    if not path.exists():
        raise UsageError(f"no version {version} of {service}'s configuration; see `fleetops config show {service}`")
    return _read(path)


def add(home: Home, service: str, settings: dict[str, Any], author: str, reason: str) -> Version:
    """Write a new version and put it in force; what runs does not know of it before its next start."""
    known = versions(home, service)
    number = (known[-1].version if known else 0) + 1
    fresh = Version(number, current(home, service).version, utc_text(time.time()), author, reason, settings)
    write_json(_file(home, service, number), asdict(fresh))
    write_json(config_file(home, service), asdict(fresh))
    return fresh


def activate(home: Home, service: str, version: int) -> Version:
    """Put a version that exists in force; what runs does not know of it before its next start."""
    wanted = find(home, service, version)
    write_json(config_file(home, service), asdict(wanted))
    return wanted


def refusal(program: Program, settings: dict[str, Any] | None = None) -> str:
    """Why a start of `program` with `settings` (None: with what is in force) would be refused, or "" when it is not.

    The program itself is asked, with its own environment (`--check`), so what it says is what it would do.
    """
    env = {**os.environ, **program.env}
    with tempfile.TemporaryDirectory(prefix="fleetops-config-") as folder:
        if settings is not None:
            candidate = Path(folder) / "candidate.json"
            candidate.write_text(json.dumps({"version": 0, "settings": settings}), encoding="utf-8")
            env[names.ENV_CONFIG_FILE] = str(candidate)
        try:
            done = subprocess.run(
                [*program.argv, "--check"], env=env, cwd=program.cwd, capture_output=True, text=True,
                timeout=CHECK_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise LabError(f"{program.name} did not check its configuration within {CHECK_SECONDS:.0f} s") from None
        said = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        return "" if done.returncode == 0 else said.replace(f"{folder}{os.sep}candidate.json: ", "")


def restart(home: Home, ports: Ports, service: str, *, at_once: bool = False) -> list[str]:
    """Have the replicas of `service` start with the version in force; returns their names.

    One after the other, each ready before the next is stopped, and first those that are not ready anyhow. `at_once` is
    a push without that care: nobody waits, and a version that is refused takes every replica down.
    """
    found = instances(home, ports, service)
    supervisor = Supervisor(home)
    if at_once:
        for program in found:
            supervisor.stop(program.name)
            supervisor.start(program.name, wait=False)
        return [program.name for program in found]
    answers = probes.ask_all(found)
    for program in sorted(found, key=lambda one: not answers[one.name].reason):
        replicas.restart(home, ports, program.name)
    return [program.name for program in found]


def _file(home: Home, service: str, version: int) -> Path:
    return config_file(home, service).parent / f"{version:04d}.json"


def _read(path: Path) -> Version:
    try:
        told = json_text.parse(path.read_bytes())
        return Version(**{**told, "version": int(told["version"]), "settings": dict(told["settings"])})
    except (ValueError, TypeError, KeyError) as problem:
        raise SpecError(path, f"is no version of a configuration ({problem}); move it away") from None
