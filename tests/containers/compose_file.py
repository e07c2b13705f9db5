"""compose.yaml with its default variables, and the program table that it must match."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lab import names
from lab.paths import ROOT, Home, Ports
from lab.stack import programs
from lab.stack.programs import Program

OFFICIAL = programs.TOOLS
COMPOSE = ROOT / "compose.yaml"
DOCKERFILE = ROOT / "lab" / "stack" / "container" / "Dockerfile"
HOME = Home(Path("/var/lib/fleetops"))
PORTS = Ports(8000)
VARIABLES = {value for name, value in vars(names).items() if name.startswith("ENV_")} | {
    "FLEETOPS_HOME",
    "FLEETOPS_PORT_BASE",
}


@cache
def services() -> dict[str, dict[str, Any]]:
    """Every service of compose.yaml by name, with default values for its variables."""
    text = COMPOSE.read_text(encoding="utf-8")
    resolved = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
    return dict(yaml.safe_load(resolved)["services"])


@cache
def table() -> dict[str, Program]:
    """The embedded lab's program table, as it would be in a container."""
    return programs.table(HOME, PORTS, {name: Path(name) for name in OFFICIAL})


def default_programs() -> dict[str, Program]:
    """The programs that run after a start."""
    return {name: program for name, program in table().items() if program.default}


def is_ours(program: Program) -> bool:
    """Whether it is one of the lab's own processes."""
    return names.ENV_INSTANCE in program.env
