"""A file that must hold one document is refused with the line of the second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.capacity import policy as capacity
from lab.change import policy as error_budget
from lab.drills.spec import drill
from lab.errors import SpecError
from lab.paths import DRILLS, RULES
from lab.rollout import policy as rollout
from lab.slo.specs.windows import read_windows


@pytest.mark.parametrize(
    ("read", "source"),
    [
        (rollout.read_policy, rollout.FILE),
        (error_budget.read_policy, error_budget.FILE),
        (capacity.read_policy, capacity.FILE),
        (read_windows, RULES / "windows" / "lab.yml"),
        (drill.load, DRILLS / "INC-001.yml"),
    ],
    ids=["rollout", "error budget", "capacity", "windows", "drill"],
)
def test_a_second_document_is_refused_with_its_line(read: Callable[[Path], Any], source: Path, tmp_path: Path) -> None:
    file, text = tmp_path / source.name, source.read_text(encoding="utf-8")
    file.write_text(f"{text}---\n{text}", encoding="utf-8")
    with pytest.raises(SpecError) as refusal:
        read(file)
    line = int(str(refusal.value).removeprefix(f"{file}:").partition(":")[0])
    assert line > text.count("\n")
    assert str(refusal.value).endswith("a second document; this file must hold exactly one")
    file.write_text(text, encoding="utf-8")
    read(file)
