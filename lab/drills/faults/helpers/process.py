"""A helper process of a fault, on a line of its own: when the line is cut, whoever held it, the process ends.

The parent writes one JSON line and waits for one line in return. The child reads that line, does its work, answers,
and ends at the end of its input: that comes when the parent closes it, and also when the parent was killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from select import select
from typing import Any

from lab.errors import LabError
from lab.paths import ROOT, Home, Ports
from lab.stack.processes.supervision import MARK

HELPER = "lab.drills.faults.helpers.program"
READY_SECONDS = 15.0
END_SECONDS = 5.0


@dataclass
class Child:
    """One running helper."""

    module: str
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, home: Home, ports: Ports, module: str, told: dict[str, Any]) -> Child:
        """Start it and wait for its word; LabError with what it said when it gives none."""
        env = {
            **os.environ,
            "FLEETOPS_HOME": str(home.path),
            "FLEETOPS_PORT_BASE": str(ports.base),
            MARK: str(home.path),  # so that `fleetops down` finds it
        }
        process = subprocess.Popen(
            [sys.executable, "-m", HELPER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=ROOT,
            start_new_session=True,  # Ctrl-C is for the drill, which ends it in order
        )
        child = cls(module, process)
        try:
            child._tell(told)
        except BaseException:
            child.close()
            raise
        return child

    def _tell(self, told: dict[str, Any]) -> None:
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise LabError(f"{self.module} has no line")
        try:
            stdin.write(json.dumps({"module": self.module, "told": told}).encode() + b"\n")
            stdin.flush()
        except BrokenPipeError:
            pass  # it ended; what it said is read below
        said = stdout.readline().decode(errors="replace").strip() if select([stdout], [], [], READY_SECONDS)[0] else ""
        if said != "ready":
            raise LabError(f"{self.module} did not start: {said or f'no word within {READY_SECONDS:g} s'}")

    def close(self) -> None:
        """Cut the line and see that it ends."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
