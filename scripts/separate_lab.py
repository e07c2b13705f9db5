"""A lab beside the usual one: its own state directory and ports, controlled with `fleetops`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError


class Lab:
    """A lab in `home` on ports from `port_base` on, controlled with the `fleetops` program of this environment."""

    def __init__(self, home: Path, port_base: int) -> None:
        self.program = str(Path(sys.executable).with_name("fleetops"))
        self.env = {**os.environ, "FLEETOPS_HOME": str(home), "FLEETOPS_PORT_BASE": str(port_base)}

    def run(self, *arguments: str, seconds: float = 300.0) -> subprocess.CompletedProcess[str]:
        """Run a `fleetops` command. Raises LabError when it does not finish in time."""
        try:
            return subprocess.run(
                [self.program, *arguments], env=self.env, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            raise LabError(f"`fleetops {' '.join(arguments)}` did not finish within {seconds:g} s") from None

    @contextmanager
    def up(self) -> Iterator[None]:
        """Start the lab for the block and stop it afterwards. Raises LabError when it does not start."""
        try:
            started = self.run("up", "--detach")
            if started.returncode:
                raise LabError((started.stderr.strip() or started.stdout.strip()).splitlines()[-1])
            yield
        finally:
            self.run("down")
