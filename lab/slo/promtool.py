"""Finds and runs promtool, from PATH or from the state directory's `bin`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.errors import ToolError
from lab.paths import home

# Go runtime settings by subcommand, with one process per processor. `test` evaluates thousands of rules over a small
# heap: without garbage collection until the heap has grown, it is a quarter faster. `check` keeps what it parses:
# collecting less often makes it a tenth faster.
GO_RUNTIME = {
    "test": {"GOGC": "off", "GOMEMLIMIT": "150MiB", "GOMAXPROCS": "1"},
    "check": {"GOGC": "200", "GOMEMLIMIT": "200MiB", "GOMAXPROCS": "1"},
}

Completed = subprocess.CompletedProcess[str]


def find(program: str = "promtool") -> Path:
    """The program's path. Raises ToolError when it is not installed."""
    on_path = shutil.which(program)
    if on_path:
        return Path(on_path)
    own = sorted(path for path in home().bin.rglob(program) if path.is_file())
    if own:
        return own[-1]
    raise ToolError(
        f"{program} is neither on PATH nor in {home().bin}; `make lab` downloads it, `fleetops doctor` explains how"
    )


def run(arguments: Sequence[str | Path], *, timeout_seconds: float = 600) -> Completed:
    """Run promtool with these arguments; callers check its exit status and output.

    Raises ToolError when it is missing, cannot be run, times out or is killed.
    """
    program = find()
    try:
        result = subprocess.run(
            [program, *arguments],
            capture_output=True,
            check=False,
            timeout=timeout_seconds,
            encoding="utf-8",
            env=GO_RUNTIME.get(str(arguments[0]), {}) | dict(os.environ),
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{program} {arguments[0]} did not finish within {timeout_seconds:g} s") from error
    except OSError as error:
        raise ToolError(f"{program} cannot be run: {error.strerror}; `fleetops doctor` says what is wrong") from error
    if result.returncode < 0:
        raise ToolError(f"{program} {arguments[0]} was killed by signal {-result.returncode}; run it again")
    return result
