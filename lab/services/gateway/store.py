"""Stores the gateway's settings on disk. A change is validated, then written, then applied."""

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
from lab.telemetry.body import JsonObject

Step = Callable[..., State]
Apply = Callable[[], None]


def _nothing_to_apply(_state: State) -> Apply:
    return lambda: None


class Store:
    """The current state. Changes are durable when `change` returns; after `kill -9` the file has the old or new state.

    Raises LabError when the directory cannot be used. A stored part that is invalid does not prevent the start: it gets
    its value from `defaults`, and `refused` has one line with its name and the reason. The file is then copied to
    gateway.json.refused, because the next change overwrites it.
    """

    def __init__(self, directory: Path, defaults: State) -> None:
        self._file = directory / "gateway.json"
        self._lock = threading.Lock()
        try:
            directory.mkdir(parents=True, exist_ok=True)
            data = self._file.read_bytes() if self._file.exists() else b""
            self.state, self.refused = _read(data, defaults) if data else (defaults, ())
            if self.refused:
                self._file.with_name("gateway.json.refused").write_bytes(data)
        except OSError as problem:
            raise LabError(f"cannot use the state directory {directory}: {problem.strerror}; check its owner") from None

    def change(
        self, step: Step, *values: Any, build: Callable[[State], Apply] = _nothing_to_apply
    ) -> tuple[State, State]:
        """Changes the state to step(state, *values), one change at a time. Returns the state before and after.

        `build` prepares the new state and may raise to refuse it; nothing is then changed. The function it returns
        applies the state and is called once the state is on disk. Raises what `step` and `build` raise, and LabError
        when the state cannot be written.
        """
        with self._lock:
            old = self.state
            new: State = step(old, *values)
            apply = build(new)
            self._write(new)
            self.state = new
            apply()
            return old, new

    def _write(self, state: State) -> None:
        try:
            write_json(self._file, state.public())
        except OSError as problem:
            raise LabError(f"cannot write {self._file}: {problem.strerror}; nothing was changed") from None


def _read(data: bytes, defaults: State) -> tuple[State, tuple[str, ...]]:
    """`defaults` changed by every valid part of `data`, and one line with the reason for each invalid part."""
    try:
        stored = json_text.parse(data)
    except json_text.JsonError as problem:
        return defaults, (f"the whole file: {problem}",)
    if not isinstance(stored, dict):
        return defaults, ("the whole file: is not a JSON object",)
    state, refused = defaults, []
    for part, step, values in _changes(stored, defaults):
        try:
            state = step(state, *values)
        except UsageError as problem:
            refused.append(f"{part}: {problem}")
    return state, tuple(refused)


def _changes(stored: JsonObject, defaults: State) -> Iterator[tuple[str, Step, tuple[Any, ...]]]:
    """Each part in `stored`: its name, the function that changes it, and that function's arguments.

    A file of an older version may lack parts; flags and upstreams that are no longer known are skipped.
    """
    for part, step in steps.PARTS.items():
        if part in stored:
            yield part, step, (stored[part],)
    for name, flag in _entries(stored.get("flags", {}), defaults.flags):
        yield f"flags.{name}", steps.with_flag, (name, flag)
    for name, urls in _entries(stored.get("upstreams", {}), defaults.upstreams):
        yield f"upstreams.{name}", steps.with_upstream, (name, {"urls": urls})


def _entries(stored: Any, names: Iterable[str]) -> list[tuple[str, Any]]:
    """(name, value) of each known name; None for all of them if `stored` is not an object."""
    entries = stored if isinstance(stored, dict) else dict.fromkeys(names)
    return [(name, entries[name]) for name in names if name in entries]
