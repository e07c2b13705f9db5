"""The generator scales to a thousand SLOs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.paths import RULES
from lab.slo import load_windows, promtool
from lab.slo.generate import read_all, render_slos


@pytest.mark.promtool
def test_the_rules_of_a_thousand_slos_load(tmp_path: Path) -> None:
    """All of them share one alert name."""
    head, body = (RULES / "slos" / "feed.yml").read_text().split("slos:\n", 1)
    slo = body.split("  - name: latency-p95")[0]
    many = "".join(slo.replace("name: availability", f"name: availability-{number}", 1) for number in range(1000))
    (tmp_path / "many.yml").write_text(f"{head}slos:\n{many}")
    ((_, slos),) = read_all([tmp_path / "many.yml"])
    (tmp_path / "many.rules.yml").write_text(render_slos(slos, load_windows("production"), "many.yml"))
    result = promtool.run(["check", "rules", tmp_path / "many.rules.yml"])
    assert result.returncode == 0, result.stdout[-500:]
    assert f"{24 * 1000} rules found" in result.stdout
