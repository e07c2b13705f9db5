"""Imports between the packages of `lab` go one way only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.batch

ROOT = Path(__file__).resolve().parent.parent
LAB = ROOT / "lab"
ORDER = (
    "errors", "names", "paths", "atomic_write", "file_lock", "plaintext", "promql_tokens", "units", "measured_capacity",
    "slo", "telemetry", "services", "traffic", "clients", "tracing",
    "oncall", "stack", "control", "drills", "capacity", "change", "rollout", "console", "site", "cli",
)  # fmt: skip


def imported_areas(file: Path) -> set[str]:
    """The package or module of `lab` that each import in `file` belongs to."""
    areas = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module] if node.module != "lab" else [f"lab.{alias.name}" for alias in node.names]
        else:
            continue
        areas |= {name.split(".")[1] for name in names if name.startswith("lab.")}
    return areas


@pytest.mark.parametrize("file", sorted(LAB.rglob("*.py")), ids=lambda f: str(f.relative_to(ROOT)))
def test_a_module_imports_only_from_lower_layers(file: Path) -> None:
    area = file.relative_to(LAB).parts[0].removesuffix(".py")
    if area in {"__init__", "__main__"}:
        return
    assert area in ORDER, f"{area} is not in ORDER; add it in {Path(__file__).name}"
    higher = {name for name in imported_areas(file) if name in ORDER and ORDER.index(name) > ORDER.index(area)}
    assert not higher, f"{file.relative_to(ROOT)} imports {sorted(higher)}, which are above {area}"
