"""Runs runbook commands exactly as printed, without a shell, and the programs of responders."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lab.clients.documents import Page
from lab.drills.runbook.command_line import arguments
from lab.names import ENV_ACTOR
from lab.paths import home, ports

TIMEOUT_SECONDS = 120
TIMED_OUT = 124
OUTPUT_CHARACTERS = 4000
LOCALE = ("LANG", "LC_ALL", "LC_CTYPE", "TZ")


@dataclass(frozen=True)
class Ran:
    """One finished command. `output` is stdout and stderr as one text, at most OUTPUT_CHARACTERS."""

    command: str
    exit_status: int
    output: str
    started_at: float
    duration_seconds: float


def run_command(command: str, actor: str) -> Ran:
    """Run one `fleetops` command as `actor`. After TIMEOUT_SECONDS it is killed, and its exit status is TIMED_OUT.

    Raises SpecError for a command line that is not accepted (command_line.py).
    """
    words = [*fleetops(), *arguments(command)[1:]]
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


def hand_over(
    program: tuple[str, ...],
    page: Page,
    actor: str,
    seconds: float,
    say: Callable[[str], None],
    variables: tuple[str, ...] = (),
) -> int:
    """Run `program` with `page` as JSON on standard input and `fleetops` first on PATH; returns its exit status.

    It runs in a new empty folder, which is also its HOME. Its environment has PATH, the locale, `variables`, and what
    `fleetops` needs to reach this lab. `say` receives its output, both streams, line by line. When it ends, or after
    `seconds` (exit status TIMED_OUT), its process group is killed.
    """
    with tempfile.TemporaryDirectory(prefix="responder-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            _absolute(program),
            env=_environment(actor, variables, folder),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        reader = threading.Thread(target=_tell, args=(process, say), daemon=True)
        reader.start()
        return _wait(process, page, seconds, reader)


def _absolute(program: tuple[str, ...]) -> list[str]:
    """The command with absolute paths of the program and of arguments that are files: it runs in another folder."""
    words = [shutil.which(program[0]) or program[0], *program[1:]]
    return [str(Path(word).absolute()) if Path(word).is_file() else word for word in words]


def _environment(actor: str, variables: tuple[str, ...], folder: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in (*LOCALE, *variables) if name in os.environ}
    return {
        **kept,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "HOME": folder,
        "TMPDIR": folder,
        ENV_ACTOR: actor,
        "FLEETOPS_HOME": str(home().path),
        "FLEETOPS_PORT_BASE": str(ports().base),
    }


def _wait(process: subprocess.Popen[bytes], page: Page, seconds: float, reader: threading.Thread) -> int:
    try:
        with suppress(BrokenPipeError):  # the program may exit without reading it
            if process.stdin is not None:
                process.stdin.write(msgspec.json.encode(page))
                process.stdin.close()
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return TIMED_OUT
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join(1)


def _tell(process: subprocess.Popen[bytes], say: Callable[[str], None]) -> None:
    if process.stdout is not None:
        for line in process.stdout:
            say(line.decode("utf-8", "replace").rstrip()[:OUTPUT_CHARACTERS])


def fleetops() -> list[str]:
    """The words of a command that starts the `fleetops` of this installation."""
    script = Path(sys.executable).with_name("fleetops")
    return [str(script)] if script.is_file() else [sys.executable, "-m", "lab.cli.main"]
