"""Every command in a shell block of README and docs is one that exists, with arguments it takes."""

from __future__ import annotations

import re

import click
import pytest

from lab.cli.main import root
from lab.drills.runbook import command_line
from lab.paths import DOCS, ROOT

PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
BLOCK = re.compile(r"^ *```\s*(?:\{ \.bash[^}]*\}|bash|sh|console)\s*\n(.*?)^ *```", re.M | re.S)
OTHER = {"source"}


def commands() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for block in BLOCK.findall(page.read_text()):
            lines = [line.split("  #")[0].strip() for line in block.splitlines()]
            found += [(page.relative_to(ROOT).as_posix(), line) for line in lines if line and not line.startswith("#")]
    return found


def test_every_fenced_block_is_one_whose_commands_are_checked() -> None:
    """A block in another language, or a fence that the pattern misses, would be looked at by nobody."""
    for page in PAGES:
        fences = re.findall(r"^ *(?:```|~~~)", page.read_text(), re.M)
        assert len(fences) == 2 * len(BLOCK.findall(page.read_text())), page


def parse(words: list[str]) -> None:
    """As the command line would, without doing it."""
    context = click.Context(root, info_name="fleetops")
    command: click.Command = root
    while isinstance(command, click.Group):
        if not words:
            raise click.UsageError(f"{context.command_path} needs a verb")
        name, *words = words
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"no command {name!r} in {context.command_path}")
        command, context = found, click.Context(found, info_name=name, parent=context)
    command.make_context(command.name, words)


@pytest.mark.parametrize(("page", "line"), commands(), ids=lambda value: str(value)[:60])
def test_a_command_on_a_page_is_one_that_exists(page: str, line: str) -> None:
    words = command_line.words(line, page)
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text()
        targets = re.findall(r"^([a-z]+):", makefile, re.M)
        assert {word for word in words[1:] if "=" not in word} <= set(targets), f"{page}: {line}: no such target"
        given = {word.partition("=")[0] for word in words[1:] if "=" in word}
        assert given <= set(re.findall(r"\$\(?(?:if \$\()?([A-Z]+)\)", makefile)), f"{page}: {line}: nothing reads it"
    elif words[0] == "fleetops":
        try:
            parse(words[1:])
        except click.ClickException as error:
            pytest.fail(f"{page}: {line}: {error.format_message()}")
    else:
        assert words[0] in OTHER, f"{page}: {line}"
