"""Where the measured figures of `make bench` are kept: one JSON file, a section a program, each replaced as a whole."""

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
    """What the figures were measured on."""
    return {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}


def write_section(path: Path, name: str, figures: dict[str, Any]) -> None:
    """Put one program's figures into the file, with when and where they were measured. Others' stay."""
    document: dict[str, Any] = {"schema": SCHEMA, "sections": {}}
    if path.is_file():
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise UsageError(f"{path} is not JSON ({error}); delete it, and `make bench` writes it anew") from error
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise UsageError(f"{path} is no {SCHEMA} document; name another file")
    measured = {"measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "host": host()}
    document["sections"][name] = measured | figures
    try:
        write_json(path, document)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error
