"""What a user may do from the console: runbook commands, a few more verbs, and drills.

Each action is a `fleetops` command, run as its own process under the user's name. The console has no control path of
its own: checks, audit rows and output are those of a terminal.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from lab.clients.times import epoch_seconds
from lab.console.documents import Actions, LabActions, OfferedDrill, RunningDrill, ScoreCard, StartedDrill
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

# Allowed beside the runbook commands. None of them starts or stops the lab or writes a file of the checkout.
VERBS = (
    ("canary",), ("flag",), ("scale",), ("service",), ("triage",), ("incident", "hint"), ("incident", "diagnose"),
)  # fmt: skip
STOP = "fleetops drill stop"
RESPONDERS = ("human", "autopilot")
MAX_COMMANDS = 3  # at the same time
COMMAND_CHARACTERS = 500
NAME_CHARACTERS = 60
LINES_SHOWN = 14


@dataclass
class ConsoleActions:
    """Runs commands and drills on the lab in `home`.

    `runbooks` is the page whose commands are allowed, `drills` are offered by the console.
    """

    home: Home
    runbooks: Path
    drills: tuple[Drill, ...] = ()
    _free: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(MAX_COMMANDS))
    _starting: threading.Lock = field(default_factory=threading.Lock)
    _ending: threading.Lock = field(default_factory=threading.Lock)
    _process: subprocess.Popen[bytes] | None = None
    _ended_by: str | None = None
    _ended: str = ""
    _last: tuple[str, ScoreCard] | None = None

    @property
    def lab_is_here(self) -> bool:
        """Whether a lab runs in `home`. The console's container has none, so that console is read-only."""
        return read(self.home) is not None

    def run(self, command: str, by: str) -> Ran:
        """Runs one command under the name `by`.

        Raises UsageError for a command that the console may not run, and while MAX_COMMANDS are running.
        """
        self._check(command)
        actor = person(by)
        if not self._free.acquire(blocking=False):
            raise UsageError(f"{MAX_COMMANDS} commands are already running; wait until one ends")
        try:
            return run_command(command, actor)
        finally:
            self._free.release()

    def _check(self, command: str) -> None:
        self._require_lab()
        if not isinstance(command, str) or len(command) > COMMAND_CHARACTERS or not command.isprintable():
            raise UsageError(f"'command' must be a string of at most {COMMAND_CHARACTERS} printable characters")
        words = command_line.arguments(command, "the console")
        if any(tuple(words[1 : 1 + len(verb)]) == verb for verb in VERBS) or command in printed(self.runbooks):
            return
        raise UsageError(f"{command!r} is not a runbook command; run it in a terminal")

    def start_drill(self, ident: str, responder: str, by: str) -> None:
        """Starts a drill as a process that outlives the console.

        Raises UsageError for an unknown drill or responder, and while another drill is running.
        """
        self._require_lab()
        drill, actor = RANDOM if ident == RANDOM else find(str(ident)).id, person(by)
        if responder not in RESPONDERS:
            raise UsageError(f"no responder {responder!r}; on the console it must be one of {', '.join(RESPONDERS)}")
        with self._starting:
            if running := self.running():
                raise UsageError(f"{running.id} is already running; wait until it ends or stop it")
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [*fleetops(), "drill", "run", drill, "--responder", responder],
                    env={**os.environ, ENV_ACTOR: actor}, stdin=subprocess.DEVNULL, stdout=log,
                    stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
            self._ended = ""
            stoppable.announce(self.home, drill, self._process.pid)
            started = StartedDrill(pid=self._process.pid, responder=responder, by=actor)
            self._about.write_bytes(msgspec.json.encode(started))

    def stop_drill(self, by: object) -> Ran:
        """Stops the running drill, or undoes what a killed one left, under the name `by`; returns when that is done.

        Raises UsageError while another user stops it.
        """
        self._require_lab()
        actor = person(by)
        if not self._ending.acquire(blocking=False):
            raise UsageError(f"{self._ended_by} is already stopping the drill")
        try:
            self._ended_by = actor
            ran = run_command(STOP, actor)
            self._ended = f"{ran.output} (by {actor})" if ran.exit_status == 0 else ""
            return ran
        finally:
            self._ended_by = None
            self._ending.release()

    def running(self) -> RunningDrill | None:
        """The running drill, or None."""
        if self._process is not None:
            self._process.poll()  # reaps the process if it has ended
        if (runner := stoppable.runner(self.home)) is None:
            return None
        with suppress(OSError, msgspec.DecodeError):
            started = msgspec.json.decode(self._about.read_bytes(), type=StartedDrill)
            if started.pid == runner.pid:
                return RunningDrill(id=runner.drill, pid=runner.pid, responder=started.responder, by=started.by)
        return RunningDrill(id=runner.drill, pid=runner.pid)

    def state(self) -> Actions:
        """The running drill, its last output lines, the newest score and the drills to start: LabActions on a lab."""
        if not self.lab_is_here:
            return Actions()
        return LabActions(
            able=True,
            running=self.running(),
            left_over=stoppable.left_over(self.home),
            ending_by=self._ended_by,
            ended=self._ended,
            lines=_tail(self._log),
            score=self._score(),
            drills=[OfferedDrill(id=drill.id, title=drill.title) for drill in self.drills],
            components=[name for name in COMPONENTS if name != "none"],
            triggers=[name for name in TRIGGERS if name != "control"],
        )

    def _score(self) -> ScoreCard | None:
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

    def _require_lab(self) -> None:
        if not self.lab_is_here:
            raise UsageError("this console is read-only; run 'fleetops' on the lab's host")

    @property
    def _log(self) -> Path:
        return self.home.run / "console-drill.log"

    @property
    def _about(self) -> Path:
        return self.home.run / "console-drill.json"


def person(by: object) -> str:
    """The user's name for the audit log, at most NAME_CHARACTERS. Raises UsageError for an empty or unprintable one."""
    name = "".join(letter for letter in by if letter.isprintable()).strip() if isinstance(by, str) else ""
    if not name:
        raise UsageError("'by' must be your name")
    return name[:NAME_CHARACTERS]


def printed(page: Path) -> set[str]:
    """Every command in the branches of a runbook page."""
    return {command for branch in _branches(page) for step in parser.STEPS for command in getattr(branch, step)}


def _branches(page: Path) -> Iterable[parser.Branch]:
    return (branch for section in parser.sections(page) for branch in section.branches())


def _score_card(run: Record) -> ScoreCard:
    return ScoreCard(
        id=run.drill.id,
        title=run.drill.title,
        responder=run.responder,
        ended_at=run.ended_at,
        ended_epoch=epoch_seconds(run.ended_at),
        verdict=run.verdict.outcome,
        why=run.verdict.why,
        checks=run.verdict.checks,
        durations=run.durations,
        predicted_seconds=run.prediction.detection_seconds if run.prediction else None,
        score=None if run.score is msgspec.UNSET else run.score,
    )


def _tail(file: Path) -> list[str]:
    try:
        return file.read_text(errors="replace")[-8000:].splitlines()[-LINES_SHOWN:]
    except OSError:
        return []
