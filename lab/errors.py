"""Every error the lab raises on purpose.

    LabError                 exit status 1: the requested operation failed
    ├── UsageError           exit status 2: the request itself is wrong; nothing was changed
    │   └── SpecError        a data file is wrong: names the file, the line and the key
    ├── NotRunning           the lab, or the part of it that is needed, is not running
    ├── ToolError            a program the lab called failed or is missing
    └── Void                 exit status 3: the machine was too busy, so the measurement is not valid

A message is one line: what happened, to what, and what to do.
"""

from __future__ import annotations

from pathlib import Path


class LabError(Exception):
    """The requested operation failed. The message is one line, written for a person."""

    exit_status = 1


class UsageError(LabError):
    """The request names something that does not exist or is not supported; nothing was changed."""

    exit_status = 2


class SpecError(UsageError):
    """A data file holds something that the lab does not support."""

    def __init__(self, file: Path | str, problem: str, *, key: str = "", line: int | None = None) -> None:
        place = f"{file}:{line}" if line else str(file)
        super().__init__(f"{place}: {key}: {problem}" if key else f"{place}: {problem}")
        self.file = str(file)
        self.key = key
        self.line = line


class NotRunning(LabError):
    """The lab, or the part of it that is needed, is not running."""


class ToolError(LabError):
    """A program the lab called is missing or failed."""


class Void(LabError):
    """The machine was too busy for the lab, so the measurement is not valid."""

    exit_status = 3
