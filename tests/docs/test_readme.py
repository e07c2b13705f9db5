"""The README shows the benchmark figures of page 10, and every file that SECURITY.md names exists."""

from __future__ import annotations

import html
import re

from lab.paths import DOCS, ROOT
from lab.site.sources.context import SiteContext
from lab.site.views import benchmarks


def test_the_readme_shows_the_sites_measured_figures() -> None:
    shown = str(benchmarks.site_figures(SiteContext(DOCS)))
    rows = [
        [html.unescape(re.sub(r"<[^>]+>", "", cell)).replace("\u00a0", " ").strip() for cell in cells]
        for row in re.findall(r"<tr>(.*?)</tr>", shown, re.DOTALL)
        if (cells := re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL))
    ]
    readme = (ROOT / "README.md").read_text()
    assert len(rows) > 9
    missing = [line for row in rows[1:] if (line := f"| {' | '.join(row)} |") not in readme]
    assert not missing, "not in README.md:\n" + "\n".join(missing)


def test_every_file_that_the_threat_model_names_exists() -> None:
    table = [line for line in (ROOT / "SECURITY.md").read_text().splitlines() if line.startswith("| ")]
    folder, missing = "", []
    for name in [name for line in table for name in re.findall(r"`([\w./]+\.(?:py|yaml|txt))`", line)]:
        folder = name.rpartition("/")[0] or folder  # a bare name is in the folder of the name before it
        path = ROOT / name if "/" in name or (ROOT / name).exists() else ROOT / folder / name
        if not path.exists():
            missing.append(name)
    assert len(table) > 15
    assert not missing
