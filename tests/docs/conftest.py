"""The site as `make site` builds it, in a folder of its own. Until INC-001 is recorded, with a made-up record."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from made_record import record

from lab.places import DOCS, ROOT

Build = Callable[[Path, Path], "subprocess.CompletedProcess[str]"]


def build(docs: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """`mkdocs build --strict` with another docs folder."""
    config = out.parent / f"{out.name}.yml"
    config.write_text(f"INHERIT: {ROOT / 'mkdocs.yml'}\ndocs_dir: {docs}\nsite_dir: {out}\nwatch: []\n")
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config)],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def docs_copy(tmp_path: Path) -> Path:
    """The docs, to be broken."""
    copy = tmp_path / "docs"
    shutil.copytree(DOCS, copy)
    if not (copy / "records" / "INC-001.json").exists():
        (copy / "records").mkdir(exist_ok=True)
        (copy / "records" / "INC-001.json").write_text(json.dumps(record()))
    return copy


@pytest.fixture(scope="session")
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The strict build of what is committed."""
    folder = tmp_path_factory.mktemp("site")
    docs = DOCS
    if not (DOCS / "records" / "INC-001.json").exists():
        docs = folder / "docs"
        shutil.copytree(DOCS, docs)
        (docs / "records").mkdir(exist_ok=True)
        (docs / "records" / "INC-001.json").write_text(json.dumps(record()))
    done = build(docs, folder / "out")
    assert done.returncode == 0, done.stderr
    return folder / "out"
