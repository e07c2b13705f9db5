"""Stores the figures of `make bench` in one JSON file with a section per program, each replaced as a whole."""

from __future__ import annotations

import json
import os
import platform
import time
from pathlib import Path
from typing import Any

from lab.atomic_write import write_json
from lab.errors import UsageError

SCHEMA = "fleetops.bench/v1"


def host() -> dict[str, Any]:
    """The machine that the figures are measured on: CPUs, architecture and Python version."""
    return {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}


def write_section(path: Path, name: str, figures: dict[str, Any]) -> None:
    """Replace one program's section in the file, and add time and machine. Other sections stay. Raises UsageError."""
    document: dict[str, Any] = {"schema": SCHEMA, "sections": {}}
    if path.is_file():
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UsageError(f"{path} is not JSON ({error}); delete it and run `make bench` again") from error
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise UsageError(f"{path} is not a {SCHEMA} document; use another file")
    measured = {"measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "host": host()}
    document["sections"][name] = measured | figures
    try:
        write_json(path, document)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
