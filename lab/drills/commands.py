"""Runs a runbook's commands exactly as printed: an argument list, this very installation, no shell."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lab.drills.runbook import arguments
from lab.names import ENV_ACTOR

TIMEOUT_SECONDS = 120
TIMED_OUT = 124
OUTPUT_CHARACTERS = 4000


@dataclass(frozen=True)
class Ran:
    """One finished command. `output` is what a person would have read, both streams."""

    command: str
    exit_status: int
    output: str
    started_at: float
    duration_seconds: float


def run_command(command: str, actor: str) -> Ran:
    """Run one `fleetops` command in the name of `actor`; a command that hangs counts as failed (124)."""
    words = [*_program(), *arguments(command)[1:]]
    started, clock = time.time(), time.monotonic()
    try:
        done = subprocess.run(
            words,
            env={**os.environ, ENV_ACTOR: actor},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        status, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        status, output = TIMED_OUT, late.stdout or b""
    text = output.decode("utf-8", "replace").strip()[:OUTPUT_CHARACTERS]
    return Ran(command, status, text, started, time.monotonic() - clock)


def _program() -> list[str]:
    script = Path(sys.executable).with_name("fleetops")
    return [str(script)] if script.is_file() else [sys.executable, "-m", "lab.cli.main"]
