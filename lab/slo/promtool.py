"""Runs promtool. Found on PATH, else under the state directory's `bin`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.errors import ToolError
from lab.paths import home

# By command. A test evaluates thousands of rules over a small heap on one thread: not collected before it has grown, it
# ends a quarter sooner. A check keeps what it parses; collected less often, it ends a tenth sooner. As many run side by
# side as there are processors.
GO_RUNTIME = {
    "test": {"GOGC": "off", "GOMEMLIMIT": "150MiB", "GOMAXPROCS": "1"},
    "check": {"GOGC": "200", "GOMEMLIMIT": "200MiB", "GOMAXPROCS": "1"},
}

Completed = subprocess.CompletedProcess[str]


def find(program: str = "promtool") -> Path:
    """The program's path. Raises ToolError, saying how to get it, when it is nowhere."""
    found = shutil.which(program)
    if found:
        return Path(found)
    own = sorted(path for path in home().bin.rglob(program) if path.is_file())
    if own:
        return own[-1]
    raise ToolError(
        f"{program} is not on PATH nor under {home().bin}; `fleetops doctor` says what to do, `make lab` fetches it"
    )


def run(arguments: Sequence[str | Path], *, timeout_seconds: float = 600) -> Completed:
    """promtool with these arguments; its exit status and output are the caller's to judge."""
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
        raise ToolError(f"{program} {arguments[0]} did not end within {timeout_seconds:g} s") from error
    except OSError as error:
        raise ToolError(f"{program} cannot be run: {error.strerror}; `fleetops doctor` says what is wrong") from error
    if result.returncode < 0:
        raise ToolError(f"{program} {arguments[0]} was killed by signal {-result.returncode}; run it again")
    return result
