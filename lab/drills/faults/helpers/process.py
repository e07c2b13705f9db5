"""Starts and stops the helper process of a fault.

The runner writes the helper's options as one JSON line to its standard input and waits for one line, `ready`, in
return. The helper then blocks on its standard input, a pipe held open by the runner: EOF means that the runner closed
it or was killed, and ends the helper.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from select import select

import msgspec

from lab.drills.faults.helpers.options import Options, module_of
from lab.errors import LabError
from lab.paths import ROOT, Home, Ports
from lab.stack.processes.supervision import MARK

HELPER = "lab.drills.faults.helpers.program"
READY_SECONDS = 15.0
END_SECONDS = 5.0


@dataclass
class HelperProcess:
    """One running helper."""

    module: str
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, home: Home, ports: Ports, options: Options) -> HelperProcess:
        """Start the helper and wait until it is ready. Raises LabError, with its output, if it does not get ready."""
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
            start_new_session=True,  # Ctrl-C reaches only the drill, which stops its helpers in order
        )
        helper = cls(module_of(options), process)
        try:
            helper._send(options)
        except BaseException:
            helper.close()
            raise
        return helper

    def _send(self, options: Options) -> None:
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise LabError(f"{self.module} was started without pipes")
        try:
            stdin.write(msgspec.json.encode(options) + b"\n")
            stdin.flush()
        except BrokenPipeError:
            pass  # it has ended; its output is read below
        answered = bool(select([stdout], [], [], READY_SECONDS)[0])
        answer = stdout.readline().decode(errors="replace").strip() if answered else ""
        if answer != "ready":
            raise LabError(f"{self.module} did not start: {answer or f'no answer within {READY_SECONDS:g} s'}")

    def close(self) -> None:
        """Close the pipe and wait for the helper to end; kill it after END_SECONDS."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
