"""What a container does: `python -m lab.stack.container init|schema|run`.

init    fills the shared state directory: token, passwords, configuration of Prometheus, Alertmanager and the DB
schema  creates the DB's role, database, schema and rows where they are missing
run     becomes the program that FLEETOPS_INSTANCE names, with the environment the program table gives it
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from lab import names
from lab.errors import UsageError
from lab.paths import home, ports
from lab.services import schema
from lab.stack import console_key, programs, replicas
from lab.stack.backends import postgres
from lab.stack.container.addresses import Addresses, merged
from lab.stack.container.prepare import prepare
from lab.telemetry.process import program

READY_FILE = Path(tempfile.gettempdir()) / "ready"  # probe.py reads the address from it


def main() -> None:
    """Do what the first argument says. Raises LabError."""
    table = replicas.known(home(), ports())
    console_url = os.environ.get(names.ENV_CONSOLE_URL, programs.url(ports().console))
    addresses = Addresses(table.values(), ports().console, console_url)
    match sys.argv[1:]:
        case ["init"]:
            prepare(home(), ports(), table.values(), addresses)
            sys.stdout.write(f"the console: {console_key.console_url(console_url, home())}\n")
        case ["schema"]:
            postgres.ensure_database(home(), ports().postgres, host="postgres")
            sys.stdout.write(schema.create(postgres.url(home(), ports().postgres, host="postgres")) + "\n")
        case ["run"]:
            become(os.environ.get(names.ENV_INSTANCE, ""), table, addresses)
        case other:
            raise UsageError(f"{' '.join(other) or 'nothing'}: say one of init, schema, run")


def become(name: str, table: dict[str, programs.Program], addresses: Addresses) -> None:
    """Replace this process by the program `name`. Raises UsageError when it is none of ours."""
    ours = {each.name: each for each in table.values() if names.ENV_INSTANCE in each.env}
    if name not in ours:
        raise UsageError(f"{names.ENV_INSTANCE}={name!r} is no program of ours; known: {', '.join(ours)}")
    READY_FILE.write_text(ours[name].ready, encoding="utf-8")
    argv = ours[name].argv
    os.execve(argv[0], argv, merged(addresses.environment(ours[name]), os.environ))  # noqa: S606 -- no shell, on purpose


if __name__ == "__main__":
    program(main)
