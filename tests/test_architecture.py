"""ARCHITECTURE.md is true of the source: its generated parts, and the files that its walks name."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import cogapp
import pytest

from lab.paths import ROOT
from scripts import package_picture


def test_the_picture_and_the_list_of_packages_are_those_of_the_source() -> None:
    assert package_picture.main(["--check"]) == 0, "run `make fmt`"


def test_the_table_of_the_readme_is_that_of_the_bench() -> None:
    check = ["cog", "--check", "--diff", "-I", str(ROOT), str(ROOT / "README.md")]
    assert cogapp.Cog().main(check) == 0, "run `make fmt`"


@pytest.mark.parametrize("generated", ["  cli --> site\n", "- `errors.py`: "])
def test_a_generated_line_that_is_missing_fails_the_check(
    generated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    page = Path(shutil.copy(package_picture.PAGE, tmp_path))
    assert generated in page.read_text()
    page.write_text(page.read_text().replace(generated, "", 1))
    monkeypatch.setattr(package_picture, "PAGE", page)
    assert package_picture.main(["--check"]) != 0
    assert f"+{generated.strip(chr(10))}" in capfd.readouterr().out


def test_writing_puts_a_missing_line_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(shutil.copy(package_picture.PAGE, tmp_path))
    page.write_text(page.read_text().replace("  cli --> site\n", "", 1))
    monkeypatch.setattr(package_picture, "PAGE", page)
    assert package_picture.main([]) == 0
    assert page.read_text() == (ROOT / "ARCHITECTURE.md").read_text()


def test_the_picture_leaves_out_only_arrows_that_a_longer_path_implies() -> None:
    graph = {"a": {"b", "c", "d"}, "b": {"c"}, "c": set(), "d": {"c"}}
    assert package_picture.reduced(graph) == {"a": {"b", "d"}, "b": {"c"}, "c": set(), "d": {"c"}}


def test_pytest_looks_into_every_folder_of_tests(pytestconfig: pytest.Config) -> None:
    """Its own default passes over a folder that is named `build`."""
    folders = [folder for folder in (ROOT / "tests").rglob("*") if folder.is_dir() and folder.name != "__pycache__"]
    skipped = pytestconfig.getini("norecursedirs")
    assert [folder for folder in folders if any(folder.match(pattern) for pattern in skipped)] == []


def test_the_packages_of_the_picture_are_all_that_lab_holds() -> None:
    folders = {file.parent.name for file in package_picture.LAB.glob("*/__init__.py")}
    assert package_picture.imports().keys() - {package_picture.GROUND} == folders


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_every_file_that_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    named = set(re.findall(r"`((?:lab|rules|docs|tests|scripts|\.ci|\.github)/[\w./-]*\w)`", text))
    assert len(named) > 15
    assert not sorted(name for name in named if not (ROOT / name).exists())


MAX_LINES, MAX_MODULES = 300, 20
FOLDERS = sorted(
    {file.parent.relative_to(ROOT) for top in ("lab", "scripts", "tests") for file in (ROOT / top).rglob("*.py")}
)


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_modules_and_folders_keep_a_size_that_one_can_survey(folder: Path) -> None:
    modules = {file.name: len(file.read_text().splitlines()) for file in (ROOT / folder).glob("*.py")}
    assert {name: lines for name, lines in modules.items() if lines > MAX_LINES} == {}
    assert len(modules) <= MAX_MODULES
