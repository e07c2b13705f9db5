"""Where the programs of the table find each other when each has a container, and so a host name, of its own.

The embedded lab says every address as 127.0.0.1:PORT, and every port belongs to one program. Between containers the
program's name stands for 127.0.0.1; ports, paths and all else stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from lab import names
from lab.errors import LabError
from lab.paths import LOOPBACK
from lab.stack.programs import Program

ANY_ADDRESS = "0.0.0.0"  # noqa: S104 -- inside a container, which publishes no port but on the engine's loopback
LISTENERS = (names.ENV_LISTEN, names.ENV_ADMIN_LISTEN)
_ADDRESS = re.compile(rf"(http://)?{re.escape(LOOPBACK)}:(\d+)")


class Addresses:
    """Puts the owner's name into every address of a text, but for the console's URL: people open that one.

    `console_url` is where their browser finds it; `console_port` the port by which the table names it.
    """

    def __init__(self, programs: Iterable[Program], console_port: int, console_url: str) -> None:
        self._owners = {port: program.name for program in programs for port in program.ports}
        self._console = f"http://{LOOPBACK}:{console_port}"
        self._console_url = console_url

    def between(self, text: str) -> str:
        """`text` as another container must read it. Raises LabError for a port that no program owns."""
        return _ADDRESS.sub(self._replace, text)

    def _replace(self, match: re.Match[str]) -> str:
        if match.group() == self._console:
            return self._console_url
        port = int(match.group(2))
        if port not in self._owners:
            raise LabError(f"port {port} belongs to no program of the table; see lab/stack/programs.py")
        return f"{match.group(1) or ''}{self._owners[port]}:{port}"

    def environment(self, program: Program) -> dict[str, str]:
        """What `program` is told in its container: it listens to the others and answers to its own name."""
        told = {
            name: value.replace(LOOPBACK, ANY_ADDRESS) if name in LISTENERS else self.between(value)
            for name, value in program.env.items()
        }
        return told | {names.ENV_ALLOWED_HOSTS: program.name}


def merged(told: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The environment of the process: what the container was given wins over what the table tells."""
    return {**told, **given}
