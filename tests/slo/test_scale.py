"""A thousand SLOs are no special case."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.paths import RULES
from lab.slo import load_windows, promtool
from lab.slo.generate import read_all, render_slos


@pytest.mark.promtool
def test_a_thousand_slos_give_rules_that_load_without_a_complaint(tmp_path: Path) -> None:
    """Also when all of them alert under one name."""
    head, body = (RULES / "slos" / "feed.yml").read_text().split("slos:\n", 1)
    one = body.split("  - name: latency-p95")[0]
    many = "".join(one.replace("name: availability", f"name: availability-{number}", 1) for number in range(1000))
    (tmp_path / "many.yml").write_text(f"{head}slos:\n{many}")
    ((_, slos),) = read_all([tmp_path / "many.yml"])
    (tmp_path / "many.rules.yml").write_text(render_slos(slos, load_windows("production"), "many.yml"))
    result = promtool.run(["check", "rules", tmp_path / "many.rules.yml"])
    assert result.returncode == 0, result.stdout[-500:]
    assert f"{24 * 1000} rules found" in result.stdout
