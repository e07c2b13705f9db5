"""Container entry point: `python -m lab.stack.container init|schema|run`.

init    fills the shared state directory: token, passwords, configuration of Prometheus, Alertmanager and PostgreSQL
schema  creates the role, the database, the schema and the seed data where they are missing
run     executes the program named by FLEETOPS_INSTANCE with its environment from the program table
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
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

READY_FILE = Path(tempfile.gettempdir()) / "ready"  # contains the readiness URL, for probe.py


def main() -> None:
    """Run the command in the first argument. Raises LabError."""
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
            run_program(os.environ.get(names.ENV_INSTANCE, ""), table, addresses)
        case other:
            raise UsageError(f"unknown command {' '.join(other)!r}; choose one of init, schema, run")


def run_program(name: str, table: Mapping[str, programs.Program], addresses: Addresses) -> None:
    """Replace this process by the lab's own program `name`. Raises UsageError for another name."""
    known = {program.name: program for program in table.values() if names.ENV_INSTANCE in program.env}
    if name not in known:
        raise UsageError(f"{names.ENV_INSTANCE}={name!r} is not a program of the lab; known: {', '.join(known)}")
    READY_FILE.write_text(known[name].ready, encoding="utf-8")
    argv, environment = known[name].argv, addresses.environment(known[name])
    os.execve(argv[0], argv, merged(environment, os.environ))  # noqa: S606 -- an argument list, no shell


if __name__ == "__main__":
    program(main)
