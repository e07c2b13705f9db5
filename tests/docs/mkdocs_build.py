"""Builds the site from another docs folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lab.paths import ROOT


def build(docs: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """The finished `mkdocs build --strict` of the folder `docs` into `out`."""
    config = out.parent / f"{out.name}.yml"
    config.write_text(
        f"INHERIT: {ROOT / 'mkdocs.yml'}\ndocs_dir: {docs}\nsite_dir: {out}\nwatch: []\n"
        f"theme:\n  custom_dir: {ROOT / 'lab' / 'site' / 'theme'}\n"
    )
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
