"""Scripts and style sheets are formatted and linted; a machine that cannot fetch Biome says so in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.errors import ToolError
from lab.paths import ROOT
from lab.site.build import npm
from scripts import javascript


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def packages(project: Path) -> Path:
        raise ToolError(f"the packages of {project.name}/package-lock.json could not be fetched: no such host")

    monkeypatch.setattr(npm, "packages", packages)


def test_a_machine_that_cannot_fetch_biome_skips_with_one_line(
    unreachable: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert javascript.main(["check"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("javascript: skipped: ") and "no such host" in line


def test_continuous_integration_never_skips(
    unreachable: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", "true")
    assert javascript.main(["check"]) == 1
    assert capsys.readouterr().err.startswith("javascript: failed: ")


def test_the_lock_file_holds_every_package_by_hash_and_names_no_registry() -> None:
    lock = json.loads((javascript.PROJECT / "package-lock.json").read_text())
    packages = {name: about for name, about in lock["packages"].items() if name}
    assert packages
    assert [name for name, about in packages.items() if not about.get("integrity") or "resolved" in about] == []


def test_no_line_of_a_script_or_style_sheet_is_longer_than_120() -> None:
    files = [*(ROOT / "docs" / "assets").rglob("*.js"), *(ROOT / "docs" / "assets").rglob("*.css")]
    assert len(files) > 10
    long = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in files
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if len(line) > 120
    ]
    assert not long
