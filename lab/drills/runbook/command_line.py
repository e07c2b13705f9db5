"""Parses the command lines that drills, runbooks, the console and the docs accept: `fleetops` with plain arguments.

The autopilot runs a printed line without a shell, and people paste it into one, so a line is accepted only if both read
the same arguments. The grammar lists what is allowed; everything else is refused, with or without spaces around it:

    word   = one or more of: plain characters, '...' (anything but a quote), "..." (anything but " $ ` \\ !)
    plain  = letters, digits and _ @ % + = : , . / ^ -

Outside quotes, a shell interprets ; | & < > ( ) $ ` * ? [ ] { } # ~ ! \\ and = at the start of a word.
"""

from __future__ import annotations

import re
import shlex
from functools import lru_cache
from pathlib import Path

from lab.errors import SpecError

PROGRAM = "fleetops"

_PLAIN = r"[\w@%+=:,./^-]"
_SINGLE = r"'[^']*'"
_DOUBLE = r'"[^"$`\\!]*"'
# Some shells replace =NAME at the start of a word with the path of the program NAME.
_ACCEPTED = re.compile(rf"(?: +(?!=)|{_PLAIN}|{_SINGLE}|{_DOUBLE})*+")


def words(command: str, file: Path | str, line: int | None = None) -> list[str]:
    """The arguments of one command line. Raises SpecError that names the first character a shell would interpret."""
    if unprintable := next((letter for letter in command if not letter.isprintable()), None):
        raise SpecError(file, f"{command!r} contains {unprintable!r}, which is not a printable character", line=line)
    accepted = _ACCEPTED.match(command)
    end = accepted.end() if accepted else 0
    if end < len(command):
        if command[end] in "'\"" and command.count(command[end], end) < 2:
            raise SpecError(file, f"{command!r} does not parse: the {command[end]} is never closed", line=line)
        told = _acts(command[end:])
        raise SpecError(file, f"{command!r} needs a shell for {told!r}; commands run without one: quote it", line=line)
    return list(_split(command))


@lru_cache(maxsize=4096)  # the console compares with every command of the runbooks
def _split(command: str) -> tuple[str, ...]:
    return tuple(shlex.split(command))


def arguments(command: str, file: Path | str = "runbook", line: int | None = None) -> list[str]:
    """The words of a `fleetops` command. Raises SpecError for another program, and for shell syntax."""
    found = words(command, file, line)
    if not found or found[0] != PROGRAM:
        raise SpecError(file, f"{command!r} is not a {PROGRAM} command", line=line)
    return found


def _acts(rest: str) -> str:
    """The first refused character. If `rest` begins with a double quote, it is the one inside the quotes."""
    inside = re.match(r'"[^"$`\\!]*([$`\\!])', rest)
    return inside[1] if inside else rest.lstrip()[:1]
