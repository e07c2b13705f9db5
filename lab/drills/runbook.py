"""Reads docs/03_runbooks.md as a program: sections by anchor, branches in order, the three blocks of each.

A branch is `### <n>. <title>` with one fenced block each of `{ .bash .check }`, `{ .bash .mitigate }` and
`{ .bash .validate }`; one command a line. Whatever does not fit is refused by line, never skipped.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lab.drills.content import content_hash
from lab.errors import SpecError

STEPS = ("check", "mitigate", "validate")
PROGRAM = "fleetops"

_SECTION = re.compile(r"^## (?P<title>.+?)\s*$")
_BRANCH = re.compile(r"^### (?P<number>\d+)\. (?P<title>.+?)\s*$")
_FENCE = re.compile(r"^```\s*(?P<info>.*?)\s*$")
_BLOCK = re.compile(r"^\{ \.bash \.(?P<step>[a-z]+) \}$")


@dataclass(frozen=True)
class Branch:
    """One thing that may be wrong: how to tell, what to do, how to know that it worked. Commands as printed."""

    number: int
    title: str
    check: tuple[str, ...]
    mitigate: tuple[str, ...]
    validate: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """One alert's section: its anchor, its Markdown source and where that starts in the file."""

    anchor: str
    title: str
    text: str
    file: Path
    line: int

    @property
    def sha256(self) -> str:
        """The content hash of the section's source."""
        return content_hash(self.text.encode())

    def branches(self) -> list[Branch]:
        """The branches in order; SpecError names the line that is not as the format asks."""
        found: list[Branch] = []
        heading: tuple[int, int, str] | None = None
        blocks: dict[str, tuple[str, ...]] = {}
        for line, kind, value in _events(self):
            if kind == "branch":
                if heading:
                    found.append(self._branch(heading, blocks))
                number, title = value
                if int(number) != len(found) + 1:
                    raise SpecError(self.file, f"branch {number} where {len(found) + 1} was expected", line=line)
                heading, blocks = (line, int(number), title), {}
                continue
            step, commands = value[0], value[1:]
            if heading is None or step not in STEPS or step in blocks:
                raise SpecError(self.file, f"a {step!r} block has no place here", line=line)
            blocks[step] = commands
        if heading:
            found.append(self._branch(heading, blocks))
        return found

    def _branch(self, heading: tuple[int, int, str], blocks: dict[str, tuple[str, ...]]) -> Branch:
        line, number, title = heading
        missing = [step for step in STEPS if not blocks.get(step)]
        if missing:
            raise SpecError(self.file, f"branch {number} has no {' and no '.join(missing)} command", line=line)
        return Branch(number, title, blocks["check"], blocks["mitigate"], blocks["validate"])


def slug(title: str) -> str:
    """The anchor MkDocs gives a heading of words, digits and hyphens."""
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower())


def sections(file: Path) -> list[Section]:
    """Every `##` section of a runbook page."""
    lines = file.read_text().splitlines()
    inside = _fenced(lines)
    starts = [(i, m["title"]) for i, line in enumerate(lines) if not inside[i] and (m := _SECTION.match(line))]
    ends = [start for start, _ in starts[1:]] + [len(lines)]
    return [
        Section(slug(title), title, "\n".join(lines[start:end]).strip() + "\n", file, start + 1)
        for (start, title), end in zip(starts, ends, strict=True)
    ]


def find(file: Path, runbook_url: str) -> Section:
    """The section a page's runbook_url points at; SpecError when there is none."""
    anchor = urlsplit(runbook_url).fragment
    for section in sections(file):
        if anchor and section.anchor == anchor:
            return section
    raise SpecError(file, f"no section for the runbook_url {runbook_url!r}")


def arguments(command: str, file: Path | str = "runbook", line: int | None = None) -> list[str]:
    """A command's argument list. Runbooks speak `fleetops` only, and no shell."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise SpecError(file, f"{command!r} does not parse: {error}", line=line) from error
    if not words or words[0] != PROGRAM:
        raise SpecError(file, f"{command!r} is not a {PROGRAM} command", line=line)
    if bare := {"|", "||", "&&", ";", ">", ">>", "<", "&"} & set(words):
        raise SpecError(file, f"{command!r} needs a shell for {sorted(bare)[0]!r}; runbooks have none", line=line)
    return words


def _fenced(lines: list[str]) -> list[bool]:
    inside, marks = False, []
    for line in lines:
        fence = line.startswith("```")
        marks.append(inside or fence)
        inside ^= fence
    return marks


def _events(section: Section) -> list[tuple[int, str, tuple[str, ...]]]:
    """(line in the file, "branch" or "block", values) in order of appearance."""
    events: list[tuple[int, str, tuple[str, ...]]] = []
    block: tuple[int, str, list[str]] | None = None
    plain = False  # inside a fenced block that is not a runbook step
    for number, line in enumerate(section.text.splitlines(), section.line):
        fence = _FENCE.match(line)
        if block is not None:
            if fence:
                events.append((block[0], "block", (block[1], *block[2])))
                block = None
            elif line.strip() and not line.lstrip().startswith("#"):
                arguments(line.strip(), section.file, number)  # refused where it stands
                block[2].append(line.strip())
        elif fence:
            info = _BLOCK.match(fence["info"])
            if plain or info is None:
                plain = not plain
            else:
                block = (number, info["step"], [])
        elif not plain and (branch := _BRANCH.match(line)):
            events.append((number, "branch", (branch["number"], branch["title"])))
    if block is not None:
        raise SpecError(section.file, f"the {block[1]} block is never closed", line=block[0])
    return events
