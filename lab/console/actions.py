"""What a person may do from the console: the runbook's commands, a few more verbs, and drills.

Everything is a `fleetops` command run as its own process in the person's name, so the console has no control path of
its own: the same checks, the same audit rows, the same words as in a terminal.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.clients.documents import as_builtins
from lab.clients.times import epoch_seconds
from lab.drills.evidence import record
from lab.drills.run import stoppable
from lab.drills.runbook import command_line, parser
from lab.drills.runbook.execute import Ran, fleetops, run_command
from lab.drills.schema.record import Record
from lab.drills.spec.drill import COMPONENTS, TRIGGERS, Drill, find
from lab.drills.undo.journal import RANDOM
from lab.errors import LabError, UsageError
from lab.names import ENV_ACTOR
from lab.paths import Home
from lab.stack.state import read

# Beside what the runbooks print. Nothing here starts or stops the lab, or writes a file of the checkout.
VERBS = (
    ("canary",), ("flag",), ("scale",), ("service",), ("triage",), ("incident", "hint"), ("incident", "diagnose"),
)  # fmt: skip
STOP = "fleetops drill stop"
RESPONDERS = ("human", "autopilot")
AT_ONCE = 3
COMMAND_CHARACTERS = 500
NAME_CHARACTERS = 60
LINES_SHOWN = 14


@dataclass
class Hands:
    """Runs commands and drills on the lab that lives in `home`; `runbooks` is the page whose commands are allowed."""

    home: Home
    runbooks: Path
    drills: tuple[Drill, ...] = ()
    _free: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(AT_ONCE))
    _starting: threading.Lock = field(default_factory=threading.Lock)
    _ending: threading.Lock = field(default_factory=threading.Lock)
    _process: subprocess.Popen[bytes] | None = None
    _ended_by: str | None = None
    _ended: str = ""
    _last: tuple[str, dict[str, Any]] | None = None

    @property
    def able(self) -> bool:
        """Whether the lab's processes can be reached from here (not so in the console's container)."""
        return read(self.home) is not None

    def run(self, command: str, by: str) -> Ran:
        """Run one command in the name of `by`; UsageError when the console may not run it."""
        self._check(command)
        actor = person(by)
        if not self._free.acquire(blocking=False):
            raise UsageError(f"{AT_ONCE} commands are running already; wait for one")
        try:
            return run_command(command, actor)
        finally:
            self._free.release()

    def _check(self, command: str) -> None:
        self._need_lab()
        if not isinstance(command, str) or len(command) > COMMAND_CHARACTERS or not command.isprintable():
            raise UsageError(f"'command' must be a string of at most {COMMAND_CHARACTERS} printable characters")
        words = command_line.arguments(command, "the console")
        if any(tuple(words[1 : 1 + len(verb)]) == verb for verb in VERBS) or command in printed(self.runbooks):
            return
        raise UsageError(f"{command!r} is not a command of a runbook; run it in a terminal")

    def start_drill(self, ident: str, responder: str, by: str) -> None:
        """Start a drill; it goes on whatever becomes of the console. UsageError when one is running."""
        self._need_lab()
        drill, actor = RANDOM if ident == RANDOM else find(str(ident)).id, person(by)
        if responder not in RESPONDERS:
            raise UsageError(f"no responder {responder!r}; from here there are {', '.join(RESPONDERS)}")
        with self._starting:
            if running := self.running():
                raise UsageError(f"{running['id']} is running already; one at a time")
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [*fleetops(), "drill", "run", drill, "--responder", responder],
                    env={**os.environ, ENV_ACTOR: actor}, stdin=subprocess.DEVNULL, stdout=log,
                    stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
            self._ended = ""
            stoppable.announce(self.home, drill, self._process.pid)
            about = {"pid": self._process.pid, "responder": responder, "by": actor}
            self._about.write_text(json.dumps(about))

    def stop_drill(self, by: object) -> Ran:
        """Give up the drill that is running, or undo what a killed one left, in the name of `by`; returns when done."""
        self._need_lab()
        actor = person(by)
        if not self._ending.acquire(blocking=False):
            raise UsageError(f"the drill is being given up already, by {self._ended_by}")
        try:
            self._ended_by = actor
            ran = run_command(STOP, actor)
            self._ended = f"{ran.output} (by {actor})" if ran.exit_status == 0 else ""
            return ran
        finally:
            self._ended_by = None
            self._ending.release()

    def running(self) -> dict[str, Any] | None:
        """The drill that is running, wherever it was started: its id, and responder and person if started here."""
        if self._process is not None:
            self._process.poll()  # a child that has ended is a zombie until somebody looks
        if (runner := stoppable.runner(self.home)) is None:
            return None
        about = {"id": runner.drill, "pid": runner.pid, "responder": None, "by": None}
        with suppress(OSError, ValueError, TypeError, KeyError):
            known = json.loads(self._about.read_text())
            if known["pid"] == runner.pid:
                about |= {"responder": known["responder"], "by": known["by"]}
        return about

    def picture(self) -> dict[str, Any]:
        """For the live picture: the drill that runs, what it said last, the newest score, and what could be started."""
        if not self.able:
            return {"able": False, "running": None, "lines": [], "score": None, "drills": []}
        return {
            "able": True,
            "running": self.running(),
            "left_over": stoppable.left_over(self.home),
            "ending_by": self._ended_by,
            "ended": self._ended,
            "lines": _tail(self._log),
            "score": self._score(),
            "drills": [{"id": drill.id, "title": drill.title} for drill in self.drills],
            "components": [name for name in COMPONENTS if name != "none"],
            "triggers": [name for name in TRIGGERS if name != "control"],
        }

    def _score(self) -> dict[str, Any] | None:
        files = list(record.folder(self.home).glob("*.json"))
        if not files:
            return None
        newest = max(files, key=lambda file: file.stat().st_mtime)
        if self._last is None or self._last[0] != newest.name:
            try:
                self._last = (newest.name, _score_card(record.read(newest)))
            except (LabError, OSError):
                return None
        return self._last[1]

    def _need_lab(self) -> None:
        if not self.able:
            raise UsageError("this console is read-only; run 'fleetops' on the lab's host")

    @property
    def _log(self) -> Path:
        return self.home.run / "console-drill.log"

    @property
    def _about(self) -> Path:
        return self.home.run / "console-drill.json"


def person(by: object) -> str:
    """The name an action is done under; UsageError when there is none."""
    name = "".join(letter for letter in by if letter.isprintable()).strip() if isinstance(by, str) else ""
    if not name:
        raise UsageError("'by' must say who acts")
    return name[:NAME_CHARACTERS]


def printed(page: Path) -> set[str]:
    """Every command that stands in a runbook branch."""
    return {command for branch in _branches(page) for step in parser.STEPS for command in getattr(branch, step)}


def _branches(page: Path) -> Iterable[parser.Branch]:
    return (branch for section in parser.sections(page) for branch in section.branches())


def _score_card(run: Record) -> dict[str, Any]:
    return {
        "id": run.drill.id,
        "title": run.drill.title,
        "responder": run.responder,
        "ended_at": run.ended_at,
        "ended_epoch": epoch_seconds(run.ended_at),
        "verdict": run.verdict.outcome,
        "checks": as_builtins(run.verdict.checks),
        "durations": as_builtins(run.durations),
        "predicted_seconds": run.prediction.detection_seconds if run.prediction else None,
        "score": as_builtins(run.score) if run.score else None,
    }


def _tail(file: Path) -> list[str]:
    try:
        return file.read_text(errors="replace")[-8000:].splitlines()[-LINES_SHOWN:]
    except OSError:
        return []
