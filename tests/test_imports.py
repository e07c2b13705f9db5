"""The tree tells the story: imports run one way."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAB = ROOT / "lab"
ORDER = (
    "errors", "names", "paths", "atomic_write", "plaintext", "promql_tokens", "units",
    "slo", "telemetry", "services", "traffic", "clients",
    "oncall", "stack", "control", "drills", "console", "site", "cli",
)  # fmt: skip


def imported_areas(file: Path) -> set[str]:
    """The first folder or module below `lab` of everything `file` imports."""
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
def test_a_module_imports_only_what_stands_before_it_in_the_chain(file: Path) -> None:
    area = file.relative_to(LAB).parts[0].removesuffix(".py")
    if area in {"__init__", "__main__"}:
        return
    assert area in ORDER, f"{area} has no place in the chain; give it one in {Path(__file__).name}"
    later = {name for name in imported_areas(file) if name in ORDER and ORDER.index(name) > ORDER.index(area)}
    assert not later, f"{file.relative_to(ROOT)} imports {sorted(later)}, which stand after {area}"
