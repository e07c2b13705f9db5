"""The control `peek`: a program that gets a page and searches the machine for the drill's name, without investigating.

    python -m lab.drills.run.peek < page.json

It searches wherever a drill may leave traces: the journal and every other small file of the state directory, its own
environment and folder, the arguments and environments of all processes it may read, and the output of `fleetops`. A
place that names exactly one drill reveals it; the program then locks in that drill's component and trigger. It never
inspects the service itself, so its diagnosis must score no better than that of a responder who does nothing.

Files that have not changed since the drill began are skipped: they name earlier drills.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lab.clients.documents import as_builtins
from lab.control.lab_clients import LabClients
from lab.drills.faults import as_json
from lab.drills.spec.drill import Drill, catalogue
from lab.drills.undo import journal
from lab.drills.undo.journal_file import content
from lab.errors import LabError
from lab.paths import home

SMALL_BYTES = 1 << 20
VERBS = (["status", "--json"], ["page", "list", "--json"], ["incident", "list"], ["drill", "list"])


def main() -> None:
    """Read the page from standard input, search every place and print which name a drill; diagnose if one does."""
    page = json.load(sys.stdin)
    drills, accused = [drill for drill in catalogue() if not drill.is_control], set()
    for place, text in places():
        named = drills_named(text, drills)
        if len(named) == 1:
            (drill,) = named
            sys.stdout.write(f"{place} names {drill.id}\n")
            accused.add(drill.id)
    if len(accused) != 1:
        sys.stdout.write("nothing reveals the drill\n")
        return
    drill = next(drill for drill in drills if drill.id in accused)
    words = ["--component", drill.component, "--class", drill.trigger]
    subprocess.run(["fleetops", "incident", "diagnose", str(page["id"]), *words], check=False)


def drills_named(text: str, drills: list[Drill]) -> list[Drill]:
    """The drills that `text` reveals: by id, by title, or by a fault that no other drill has."""
    faults = [{json.dumps(as_json(fault), sort_keys=True) for fault in drill.faults} for drill in drills]
    named = []
    for at, drill in enumerate(drills):
        others = set().union(*faults[:at], *faults[at + 1 :])
        own = [fault for fault in faults[at] - others if fault in text]
        if own or drill.title in text or re.search(rf"\b{re.escape(drill.id)}\b", text):
            named.append(drill)
    return named


def places() -> Iterator[tuple[str, str]]:
    """(name, text) of every place that may reveal the drill."""
    for file in _files():
        yield str(file), _read(file)
    yield "the environment", repr(dict(os.environ))
    yield "the working directory", "\n".join(_read(file) for file in Path().rglob("*") if file.is_file())
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        for name in ("cmdline", "environ"):
            yield str(process / name), _read(process / name).replace("\0", " ")
    for verb in VERBS:
        done = subprocess.run(["fleetops", *verb], capture_output=True, text=True, check=False)
        yield f"fleetops {' '.join(verb)}", done.stdout + done.stderr
    try:
        entry = journal.current(home())
        yield "the journal, as the lab reads it", json.dumps(as_builtins(entry), sort_keys=True)
        if entry:
            whole = content(journal.journal_path(home()), entry)
            yield "the journal, unpacked", json.dumps(as_builtins(whole), sort_keys=True)
        yield "the audit log", json.dumps(as_builtins(LabClients.here().pager.audit(entry.at if entry else "")))
    except LabError as error:
        sys.stdout.write(f"{error}\n")


def _files() -> Iterator[Path]:
    """The small files of the state directory that changed since the drill began."""
    try:
        began = journal.journal_path(home()).stat().st_mtime
    except FileNotFoundError:  # the drill is over
        return
    for file in sorted(home().path.rglob("*")):
        with suppress(OSError):  # deleted meanwhile, or not readable by this user
            about = file.stat()
            if file.is_file() and about.st_mtime >= began and about.st_size < SMALL_BYTES:
                yield file


def _read(file: Path) -> str:
    try:
        return _canonical(file.read_bytes().decode("utf-8", "replace"))
    except OSError:
        return ""


def _canonical(text: str) -> str:
    """JSON with sorted keys, so that a fault in it can be found; other text unchanged."""
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text


if __name__ == "__main__":
    main()
