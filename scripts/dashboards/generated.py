"""The dashboard files: what they must contain, writing them, and how the committed ones differ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lab.atomic_write import write_text
from lab.paths import ROOT, RULES
from scripts.dashboards import capacity, dependencies, rollout, service_red, slo_detail, slo_overview
from scripts.dashboards.board import Board

FOLDER = RULES / "grafana" / "dashboards"


def boards() -> tuple[Board, ...]:
    """Every dashboard."""
    return (
        slo_overview.board(), slo_detail.board(), service_red.board(), dependencies.board(), rollout.board(),
        capacity.board(),
    )  # fmt: skip


def render_all() -> dict[Path, str]:
    """The text of every file, by path. Raises LabError for a spec, a rule or a policy that cannot be read."""
    return {FOLDER / f"{board.uid}.json": board.text() for board in boards()}


def drift() -> Iterator[str]:
    """One line for each file that differs from what the generator writes, is missing, or belongs to no dashboard."""
    expected = render_all()
    for path, text in expected.items():
        if not path.is_file():
            yield f"{_shown(path)}: is missing; run `make dashboards`"
        elif path.read_text(encoding="utf-8") != text:
            yield f"{_shown(path)}: differs from scripts/dashboards; run `make dashboards`"
    for path in _unknown(expected):
        yield f"{_shown(path)}: belongs to no dashboard of scripts/dashboards; delete it"


def write_all() -> int:
    """Write every file and delete those of dashboards that no longer exist. Returns how many there are."""
    expected = render_all()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in expected.items():
        write_text(path, text, mode=0o644)
    for path in _unknown(expected):
        path.unlink()
    return len(expected)


def _unknown(expected: dict[Path, str]) -> list[Path]:
    return sorted(path for path in FOLDER.glob("*.json") if path not in expected)


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
