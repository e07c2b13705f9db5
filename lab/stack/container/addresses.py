"""Addresses of the programs when each runs in a container with its own host name.

The embedded lab uses 127.0.0.1:PORT for every address, and every port belongs to one program. Between containers, the
name of that program replaces 127.0.0.1; ports and paths stay the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from lab import names
from lab.errors import LabError
from lab.paths import LOOPBACK
from lab.stack.programs import Program

ANY_ADDRESS = "0.0.0.0"  # noqa: S104 -- inside a container, which publishes ports on the host's loopback only
LISTENERS = (names.ENV_LISTEN, names.ENV_ADMIN_LISTEN)
_ADDRESS = re.compile(rf"(http://)?{re.escape(LOOPBACK)}:(\d+)")


class Addresses:
    """Replaces 127.0.0.1 by the host name of the port's program, except in the console's URL, which browsers use.

    `console_port` is the console's port in the program table, `console_url` its URL for browsers.
    """

    def __init__(self, programs: Iterable[Program], console_port: int, console_url: str) -> None:
        self._owners = {port: program.name for program in programs for port in program.ports}
        self._console = f"http://{LOOPBACK}:{console_port}"
        self._console_url = console_url

    def between(self, text: str) -> str:
        """`text` with the addresses that other containers use. Raises LabError for a port without a program."""
        return _ADDRESS.sub(self._replace, text)

    def _replace(self, match: re.Match[str]) -> str:
        if match.group() == self._console:
            return self._console_url
        port = int(match.group(2))
        if port not in self._owners:
            raise LabError(f"port {port} belongs to no program of the table; see lab/stack/programs.py")
        return f"{match.group(1) or ''}{self._owners[port]}:{port}"

    def environment(self, program: Program) -> dict[str, str]:
        """The environment of `program` in its container: listens on all interfaces, accepts its name as Host."""
        environment = {
            name: value.replace(LOOPBACK, ANY_ADDRESS) if name in LISTENERS else self.between(value)
            for name, value in program.env.items()
        }
        return environment | {names.ENV_ALLOWED_HOSTS: program.name}


def merged(defaults: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The environment of the process: the container's variables override those of the program table."""
    return {**defaults, **given}
