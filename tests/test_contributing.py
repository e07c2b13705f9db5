"""CONTRIBUTING.md can be followed: its recipe for a drill, to the letter, in a copy of the checkout."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from lab.cli.main import root
from lab.paths import ROOT

pytestmark = pytest.mark.batch

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
# A fence, its language, what follows the language (a file, a file#section, or nothing), and the block's lines.
BLOCK = re.compile(r"^(?P<fence>`{3,})(?P<language>\w+) ?(?P<place>\S*)\n(?P<lines>.*?)^(?P=fence)$", re.M | re.S)
PARTS = ("lab", "rules", "docs", "tests", "pyproject.toml", "Makefile", "README.md", "mkdocs.yml")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "records")
DRILL, RUNBOOK = "lab/drills/catalogue/INC-018.yml", "docs/03_runbooks.md#userlatencyp99burn"
NEEDS_A_LAB = "lab"


@dataclass(frozen=True)
class Block:
    """A fenced block: `place` is the file (and `#section`) it belongs to, "" for commands, `lab` for a lab's."""

    place: str
    lines: str


def recipe(title: str) -> list[Block]:
    """The blocks of a recipe, in their order."""
    section = TEXT.split(f"\n### {title}\n")[1].split("\n### Add ")[0]
    return [Block(match["place"], match["lines"]) for match in BLOCK.finditer(section)]


def apply(block: Block, checkout: Path) -> None:
    """Write a new file, or add to the end of the section that `place` names."""
    name, _, anchor = block.place.partition("#")
    file = checkout / name
    if not anchor:
        assert not file.exists(), f"{name} is taken; give the recipe's drill a new number"
        file.write_text(block.lines)
        return
    before, heading, after = re.split(rf"(?mi)^(## {anchor})$", file.read_text())
    section, following, rest = after.partition("\n## ")
    file.write_text(f"{before}{heading}{section.rstrip()}\n\n{block.lines}{following}{rest}")


def run(command: str, checkout: Path) -> subprocess.CompletedProcess[str]:
    """A command of the recipe, on the copy."""
    words = shlex.split(command)
    program = {"fleetops": [sys.executable, "-m", "lab.cli.main"], "python": [sys.executable]}[words[0]]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "FLEETOPS_HOME": str(checkout / ".lab")}
    return subprocess.run(
        [*program, *words[1:]], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the recipe touches and what it runs, without the records."""
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=LEFT_OUT)
        else:
            shutil.copy(source, tmp_path)
    return tmp_path


def follow(checkout: Path, *, without: str = "") -> tuple[str, str]:
    """Apply the blocks of the recipe but for one; returns its commands that need no lab, to list and to check."""
    for block in recipe("Add a drill"):
        if block.place not in ("", NEEDS_A_LAB, without):
            apply(block, checkout)
    listing, checking = next(block for block in recipe("Add a drill") if not block.place).lines.splitlines()
    return listing, checking


def test_the_recipe_of_a_drill_adds_one_that_is_listed_and_accepted(checkout: Path) -> None:
    listing, checking = follow(checkout)
    listed, checked = run(listing, checkout), run(checking, checkout)
    assert re.search(r"^INC-018 .*Slow profiles", listed.stdout, re.M), listed.stderr
    assert checked.returncode == 0, checked.stdout


def test_without_the_branch_in_the_runbook_the_drill_is_refused(checkout: Path) -> None:
    _, checking = follow(checkout, without=RUNBOOK)
    checked = run(checking, checkout)
    assert checked.returncode == 1
    failed = [line for line in checked.stdout.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 1 and "INC-018" in failed[0], checked.stdout


def test_without_its_file_there_is_no_drill(checkout: Path) -> None:
    listing, _ = follow(checkout, without=DRILL)
    listed = run(listing, checkout)
    assert listed.returncode == 0 and "INC-018" not in listed.stdout


def test_a_drill_without_one_of_its_keys_is_refused_by_name(checkout: Path) -> None:
    drill = next(block for block in recipe("Add a drill") if block.place == DRILL)
    apply(Block(DRILL, drill.lines.replace("trigger: network\n", "")), checkout)
    refused = run("fleetops drill list", checkout)
    assert refused.returncode != 0
    assert re.search(r"INC-018\.yml.*trigger is missing", refused.stderr), refused.stderr


def commands() -> list[str]:
    shell = [match["lines"] for match in BLOCK.finditer(TEXT) if match["language"] == "bash"]
    return [line for lines in shell for line in lines.splitlines() if line.startswith("fleetops ")]


@pytest.mark.parametrize("command", commands())
def test_every_command_is_one_that_the_command_line_takes(command: str) -> None:
    name, *words = shlex.split(command)
    context = click.Context(root, info_name=name)
    verb: click.Command | None = root
    while isinstance(verb, click.Group):
        verb = verb.get_command(context, words.pop(0))
    assert verb is not None
    verb.make_context(verb.name, words)


def test_every_make_target_that_the_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M))
    named = {word for call in re.findall(r"`make ([^`]+)`", TEXT) for word in call.split() if "=" not in word}
    assert len(named) > 5
    assert named <= targets


def test_every_path_that_test_fast_leaves_out_exists() -> None:
    listed = re.search(r"^SLOW_TESTS := ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert listed is not None
    paths = listed[1].replace("\\\n", " ").split()
    assert len(paths) > 5
    assert [path for path in paths if not (ROOT / path).exists()] == []
