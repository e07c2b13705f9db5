"""`fleetops slo check` can leave the proofs out: `make check` runs them only when a rule has changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.cli import main
from lab.slo.prove import repository


@pytest.mark.promtool
@pytest.mark.parametrize(("options", "proven"), [(["--no-proofs"], False), ([], True)])
def test_the_proofs_run_unless_they_are_left_out(
    options: list[str], proven: bool, tools: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run: list[Path] = []

    def run_proofs(paths: Sequence[Path]) -> dict[Path, str]:
        run.extend(paths)
        return {}

    monkeypatch.setattr(repository, "run_proofs", run_proofs)
    assert main.run(["slo", "check", *options]) == 0
    assert bool(run) == proven
