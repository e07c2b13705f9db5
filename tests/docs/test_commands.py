"""Every command in a shell block of README and docs exists and accepts its arguments."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from lab.cli.main import root
from lab.drills.runbook import command_line
from lab.drills.runbook.includes import TEMPLATES, page_lines
from lab.paths import DOCS, ROOT

PAGES = [ROOT / "README.md", *sorted(page for page in DOCS.rglob("*.md") if page.parent.name != TEMPLATES)]
BLOCK = re.compile(r"^ *```\s*(?:\{ \.bash[^}]*\}|bash|sh|console)\s*\n(.*?)^ *```", re.M | re.S)
SQL = re.compile(r"^ *```sql\n.*?^ *```", re.M | re.S)
OTHER = {"source"}


def text(page: Path) -> str:
    """The page as people read it, with shared branches filled in."""
    return "\n".join(line.text for line in page_lines(page))


def commands() -> list[tuple[str, str]]:
    commands = []
    for page in PAGES:
        for block in BLOCK.findall(text(page)):
            lines = [line.split("  #")[0].strip() for line in block.splitlines()]
            commands += [
                (page.relative_to(ROOT).as_posix(), line) for line in lines if line and not line.startswith("#")
            ]
    return commands


def test_the_commands_of_every_fenced_block_are_checked() -> None:
    """A block in a language that is not known, or a fence that the pattern misses, would go unchecked."""
    for page in PAGES:
        fences = re.findall(r"^ *(?:```|~~~)", text(page), re.M)
        assert len(fences) == 2 * (len(BLOCK.findall(text(page))) + len(SQL.findall(text(page)))), page


def parse(words: list[str]) -> None:
    """Parses the arguments as the command line does, without running the command."""
    context = click.Context(root, info_name="fleetops")
    command: click.Command = root
    while isinstance(command, click.Group):
        if not words:
            raise click.UsageError(f"{context.command_path} needs a verb")
        name, *words = words
        verb = command.get_command(context, name)
        if verb is None:
            raise click.UsageError(f"no command {name!r} in {context.command_path}")
        command, context = verb, click.Context(verb, info_name=name, parent=context)
    command.make_context(command.name, words)


@pytest.mark.parametrize(("page", "line"), commands(), ids=lambda value: str(value)[:60])
def test_a_command_on_a_page_exists_and_accepts_its_arguments(page: str, line: str) -> None:
    words = command_line.words(line, page)
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text()
        targets = re.findall(r"^([a-z]+):", makefile, re.M)
        assert {word for word in words[1:] if "=" not in word} <= set(targets), f"{page}: {line}: no such target"
        variables = {word.partition("=")[0] for word in words[1:] if "=" in word}
        assert variables <= set(re.findall(r"\$\(?(?:if \$\()?([A-Z]+)\)", makefile)), (
            f"{page}: {line}: no target reads it"
        )
    elif words[0] == "fleetops":
        try:
            parse(words[1:])
        except click.ClickException as error:
            pytest.fail(f"{page}: {line}: {error.format_message()}")
    else:
        assert words[0] in OTHER, f"{page}: {line}"
