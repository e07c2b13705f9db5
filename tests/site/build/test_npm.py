"""Third-party scripts: fetched once by the lock file; a failure is one line."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from lab.errors import ToolError
from lab.site.build import npm


def stand_in(folder: Path, text: str) -> None:
    """A fake `npm`, and a `node` beside it, that run the shell commands of `text`."""
    folder.mkdir()
    for name in ("npm", "node"):
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755 | stat.S_IXUSR)


def test_an_unreachable_registry_gives_one_line_that_names_the_lock_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path / "bin", "echo 'npm error code ENOTFOUND' >&2; echo 'npm error network no such host' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    with pytest.raises(ToolError) as caught:
        npm.packages(npm.WEB, tmp_path / "cache")
    message = str(caught.value)
    assert "web/package-lock.json could not be fetched: network no such host; connect to the network once" in message
    assert "\n" not in message
    assert not [file for file in (tmp_path / "cache" / "npm").iterdir() if not file.name.startswith("new-")]


def test_packages_are_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path / "bin", f"echo run >> {tmp_path}/runs; mkdir -p node_modules/x")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    first = npm.packages(npm.WEB, tmp_path / "cache")
    assert npm.packages(npm.WEB, tmp_path / "cache") == first
    assert (tmp_path / "runs").read_text() == "run\n"
    assert (first / "x").is_dir()


def test_the_lock_file_holds_every_package_by_hash_and_names_no_registry() -> None:
    lock = json.loads((npm.WEB / "package-lock.json").read_text())
    packages = {name: about for name, about in lock["packages"].items() if name}
    assert packages
    assert all(about["integrity"].startswith("sha512-") for about in packages.values())
    assert not any("resolved" in about for about in packages.values())


def test_the_published_module_is_the_file_of_the_package_with_an_export(built_site: Path) -> None:
    text = (built_site / "assets" / "vendor" / "uplot.js").read_text()
    assert text.startswith("/*! https://github.com/leeoniya/uPlot")
    assert text.endswith("export default uPlot;\n")
