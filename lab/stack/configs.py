"""Versioned configuration of the services. The audited actions are in lab/control/config.py.

data/config/SERVICE/ has one file per version, and `current.json`, a copy of the active version, which the service reads
at its start. Version 0, the built-in defaults, has no file. Each version records the one it replaced, so repeated
rollbacks go back one version at a time. `staged-REPLICA.json` is a version that one replica reads instead; whoever
activates a version deletes it, so it is known at once that a staged push was overtaken.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
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
from lab.telemetry.config import SETTINGS, STAGED_PREFIX, staged_file

Settings = dict[str, Any]  # by name; the service itself checks names and values

CHECK_SECONDS = 20.0


@dataclass(frozen=True)
class Version:
    """One version of a service's configuration; `previous` is the version it replaced.

    `taken_back`: it was staged and never activated.
    """

    version: int = 0
    previous: int = 0
    at: str = ""
    author: str = ""
    reason: str = "built-in defaults"
    settings: Settings = field(default_factory=dict)
    taken_back: bool = False


def instances(home: Home, ports: Ports, service: str) -> list[Program]:
    """The running programs of `service`. UsageError when it has no configuration; lists the services that have one."""
    configurable = [program for program in replicas.expected(home, ports) if program.job in SETTINGS]
    programs = [program for program in configurable if program.service == service]
    if not programs:
        known = ", ".join(dict.fromkeys(program.service for program in configurable))
        raise UsageError(f"{service!r} has no configuration; known: {known}")
    return programs


def settings_of(program: Program) -> list[str]:
    """The names of the settings in the configuration of `program`."""
    return list(SETTINGS[program.job])


def versions(home: Home, service: str) -> list[Version]:
    """Every pushed version, oldest first, without version 0. SpecError when a file is damaged."""
    return [_read(path) for path in sorted(config_file(home, service).parent.glob("[0-9]*.json"))]


def current(home: Home, service: str) -> Version:
    """The active version; a damaged file counts as version -1, which replaced the last pushed one."""
    path = config_file(home, service)
    try:
        return _read(path) if path.exists() else Version()
    except SpecError:
        known = [version for version in versions(home, service) if not version.taken_back]
        return Version(-1, known[-1].version if known else 0, reason="the file is damaged")


def find(home: Home, service: str, version: int) -> Version:
    """The version with a number. UsageError when there is none."""
    if version == 0:
        return Version()
    path = _file(home, service, version)
    if not path.exists():
        raise UsageError(f"no version {version} of {service}'s configuration; see `fleetops config show {service}`")
    return _read(path)


def add(home: Home, service: str, settings: Settings, author: str, reason: str) -> Version:
    """Write and activate a new version. Running programs use it from their next start on."""
    added = write(home, service, settings, author, reason)
    _activate(home, service, added)
    return added


def write(home: Home, service: str, settings: Settings, author: str, reason: str) -> Version:
    """Write a new version without activating it."""
    known = versions(home, service)
    number = (known[-1].version if known else 0) + 1
    written = Version(number, current(home, service).version, utc_text(time.time()), author, reason, settings)
    write_json(_file(home, service, number), asdict(written))
    return written


def _activate(home: Home, service: str, version: Version) -> None:
    write_json(config_file(home, service), asdict(version))
    unstage(home, service)


def stage(home: Home, service: str, replica: str, settings: Settings, author: str, reason: str) -> Version:
    """Write a new version for one replica, which uses it from its next start on; the active version stays."""
    written = write(home, service, settings, author, reason)
    write_json(staged_file(config_file(home, service), replica), asdict(written))
    return written


def staged(home: Home, service: str) -> dict[str, Version]:
    """The staged version by replica; empty unless a push is under way, or was killed."""
    files = sorted(config_file(home, service).parent.glob(f"{STAGED_PREFIX}*.json"))
    return {file.stem.removeprefix(STAGED_PREFIX): _read(file) for file in files}


def unstage(home: Home, service: str) -> None:
    """Let every replica use the active version from its next start on."""
    for file in config_file(home, service).parent.glob(f"{STAGED_PREFIX}*.json"):
        file.unlink(missing_ok=True)


def mark_taken_back(home: Home, service: str, version: Version) -> None:
    """Note that a version that was staged did not become the active one."""
    write_json(_file(home, service, version.version), asdict(replace(version, taken_back=True)))


def activate(home: Home, service: str, version: int) -> Version:
    """Activate an existing version. Running programs use it from their next start on. UsageError if unknown."""
    existing = find(home, service, version)
    _activate(home, service, existing)
    return existing


def refusal(program: Program, settings: Settings | None = None) -> str:
    """Why `program` would not start with `settings` (None: the active version); "" when it would.

    Runs the program with `--check` in its own environment, so the answer is that of a real start. LabError on a
    timeout.
    """
    env = {**os.environ, **program.env}
    with tempfile.TemporaryDirectory(prefix="fleetops-config-") as folder:
        if settings is not None:
            candidate = Path(folder) / "candidate.json"
            candidate.write_text(json.dumps({"version": 0, "settings": settings}), encoding="utf-8")
            env[names.ENV_CONFIG_FILE] = str(candidate)
        try:
            result = subprocess.run(
                [*program.argv, "--check"], env=env, cwd=program.cwd, capture_output=True, text=True,
                timeout=CHECK_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise LabError(f"{program.name} did not check its configuration within {CHECK_SECONDS:.0f} s") from None
        reason = (result.stderr.strip().splitlines() or [f"status {result.returncode}"])[-1]
        return "" if result.returncode == 0 else reason.replace(f"{folder}{os.sep}candidate.json: ", "")


def restart(home: Home, ports: Ports, service: str, *, at_once: bool = False) -> list[str]:
    """Restart the replicas of `service` with the active version; returns their names.

    One at a time, each ready before the next is stopped, starting with those that are not ready. With `at_once`,
    without waiting: a version that the service rejects takes down every replica.
    """
    programs = instances(home, ports, service)
    supervisor = Supervisor(home)
    if at_once:
        for program in programs:
            supervisor.stop(program.name)
            supervisor.start(program.name, wait=False)
        return [program.name for program in programs]
    readiness = probes.readiness_of(programs)
    for program in sorted(programs, key=lambda program: not readiness[program.name].reason):
        replicas.restart(home, ports, program.name)
    return [program.name for program in programs]


def _file(home: Home, service: str, version: int) -> Path:
    return config_file(home, service).parent / f"{version:04d}.json"


def _read(path: Path) -> Version:
    try:
        fields = json_text.parse(path.read_bytes())
        return Version(**{**fields, "version": int(fields["version"]), "settings": dict(fields["settings"])})
    except (ValueError, TypeError, KeyError) as error:
        raise SpecError(path, f"is not a configuration version ({error}); move it away") from None
