"""The gateway's settings on disk: a change is accepted by what must follow it, then written, then in force."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from lab.atomic_write import write_json
from lab.errors import LabError, UsageError
from lab.services.gateway import state as steps
from lab.services.gateway.state import State
from lab.telemetry import json_text

Step = Callable[..., State]
Swap = Callable[[], None]


def _nothing_follows(_state: State) -> Swap:
    return lambda: None


class Store:
    """The current state. `change` is durable when it returns; `kill -9` at any moment leaves the old or the new.

    A stored part that cannot be used any more is no reason not to serve: it starts as `first` says, and `refused`
    names it and says why. The file is kept as gateway.json.refused, since the next change replaces it.
    """

    def __init__(self, directory: Path, first: State) -> None:
        self._file = directory / "gateway.json"
        self._lock = threading.Lock()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            data = self._file.read_bytes() if self._file.exists() else b""
            self.state, self.refused = _read(data, first) if data else (first, ())
            if self.refused:
                self._file.with_name("gateway.json.refused").write_bytes(data)
        except OSError as problem:
            raise LabError(f"cannot use the state directory {directory}: {problem.strerror}; check its owner") from None

    def change(
        self, step: Step, *values: Any, build: Callable[[State], Swap] = _nothing_follows
    ) -> tuple[State, State]:
        """Applies step(state, *values), one change at a time; returns the state before and after.

        `build` makes what follows the new state, and may refuse it: then nothing is changed. What it returns puts that
        in force, and is called once the state is on disk. Raises what `step` and `build` raise, and LabError when the
        state cannot be written.
        """
        with self._lock:
            old = self.state
            new: State = step(old, *values)
            swap = build(new)
            self._write(new)
            self.state = new
            swap()
            return old, new

    def _write(self, state: State) -> None:
        try:
            write_json(self._file, state.public())
        except OSError as problem:
            raise LabError(f"cannot write {self._file}: {problem.strerror}; nothing was changed") from None


def _read(data: bytes, first: State) -> tuple[State, tuple[str, ...]]:
    """`first` with every part that `data` holds and that can be used, and why each other part cannot."""
    try:
        told = json_text.parse(data)
    except json_text.JsonError as problem:
        return first, (f"the whole file: {problem}",)
    if not isinstance(told, dict):
        return first, ("the whole file: is not a JSON object",)
    state, refused = first, []
    for part, step, values in _changes(told, first):
        try:
            state = step(state, *values)
        except UsageError as problem:
            refused.append(f"{part}: {problem}")
    return state, tuple(refused)


def _changes(told: dict[str, Any], first: State) -> Iterator[tuple[str, Step, tuple[Any, ...]]]:
    """Each part that `told` has a word about: its name, the step that a change of it takes too, and what it says.

    A version that did not know a part yet has no word about it; a flag or upstream that is no longer known is left out.
    """
    for part, step in steps.PARTS.items():
        if part in told:
            yield part, step, (told[part],)
    for name, flag in _entries(told.get("flags", {}), first.flags):
        yield f"flags.{name}", steps.with_flag, (name, flag)
    for name, urls in _entries(told.get("upstreams", {}), first.upstreams):
        yield f"upstreams.{name}", steps.with_upstream, (name, {"urls": urls})


def _entries(told: Any, names: Iterable[str]) -> list[tuple[str, Any]]:
    entries = told if isinstance(told, dict) else dict.fromkeys(names)
    return [(name, entries[name]) for name in names if name in entries]
