"""A signal aborts a start at any step, once; nothing interrupts the clean-up that follows."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.paths import Home, Ports
from lab.services import schema
from lab.stack import lifecycle, programs, replicas
from lab.stack.backends import certificates, monitoring, postgres, valkey
from lab.stack.health import disk, probes
from lab.stack.lifecycle import Start
from lab.stack.processes.interrupt import SIGNALS, Interrupt
from lab.stack.processes.supervision import Supervisor
from lab.stack.programs import Program
from lab.stack.tools import binaries

PROGRAM = Program("gateway", "gateway", "services", ("true",), (1,), "tcp")


@pytest.fixture
def interrupt() -> Iterator[Interrupt]:
    """An Interrupt that handles this process's signals until the end of the test."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    handler = Interrupt()
    handler.install()
    yield handler
    for number, action in before.items():
        signal.signal(number, action)


def send() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_the_first_signal_aborts_the_block_and_the_next_does_not_interrupt_the_clean_up(interrupt: Interrupt) -> None:
    cleaned = False
    with pytest.raises(KeyboardInterrupt):
        try:
            with interrupt:
                send()
        finally:
            send()
            cleaned = True
    assert cleaned


def test_a_signal_before_the_block_prevents_it(interrupt: Interrupt) -> None:
    send()
    with pytest.raises(KeyboardInterrupt), interrupt:
        pytest.fail("the block has begun")


def test_a_signal_whose_exception_is_lost_is_noticed_by_the_next_wait(interrupt: Interrupt) -> None:
    with interrupt:
        with contextlib.suppress(KeyboardInterrupt):  # as a destructor or a callback loses it
            send()
        with pytest.raises(KeyboardInterrupt):
            interrupt.check()


def test_a_second_signal_reports_that_the_lab_is_still_stopping(
    interrupt: Interrupt, capfd: pytest.CaptureFixture[str]
) -> None:
    send()
    send()
    assert capfd.readouterr().err == "still stopping\n"


# The steps of a start, in order; a signal may arrive during each.
STEPS = {
    "refuse or clean": (Start, "_refuse_or_clean"),
    "fetch programs": (binaries, "ensure"),
    "prepare the database": (postgres, "prepare"),
    "prepare the cache": (valkey, "prepare"),
    "issue certificates": (certificates, "ensure"),
    "render the configuration": (monitoring, "render"),
    "check the configuration": (monitoring, "check"),
    "start supervision": (Start, "_start_supervisor"),
    "start a program": (Supervisor, "start"),
    "wait until ready": (probes, "wait_ready"),
    "reach the database": (postgres, "ensure_database"),
    "fill the database": (schema, "create"),
    "route to the replicas": (replicas, "route_defaults"),
    "write the targets": (monitoring, "write_targets"),
    "wait until scraped": (probes, "scrape_problem"),
}


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupt: Interrupt) -> Start:
    """A start whose steps do nothing."""
    tools = {
        name: SimpleNamespace(name=name, version="1", source="PATH", path=Path(name))
        for name in ("prometheus", "alertmanager")
    }
    results: dict[str, Any] = {"fetch programs": tools, "start supervision": 1, "wait until scraped": ""}
    for step, (owner, name) in STEPS.items():
        monkeypatch.setattr(owner, name, _returning(results.get(step)))
    monkeypatch.setattr(disk, "require", lambda _: None)
    monkeypatch.setattr(monitoring, "forget_notifications", lambda _: None)
    names = ("postgres", "valkey", "prometheus", "alertmanager")
    platform = {name: Program(name, name, "platform", ("true",), (1,), "tcp", job=name) for name in names}
    monkeypatch.setattr(programs, "table", lambda *_: {**platform, "gateway": PROGRAM})
    return Start(Home(tmp_path), Ports(9000), lambda *_: None, foreground=True, interrupt=interrupt)


def _returning(value: Any) -> Callable[..., Any]:
    return lambda *_args, **_named: value


def test_a_start_without_a_signal_becomes_ready(start: Start) -> None:
    assert start.run().phase == "ready"


@pytest.mark.parametrize("lost", [False, True], ids=["raised", "lost"])
@pytest.mark.parametrize("step", STEPS)
def test_a_signal_at_any_step_aborts_the_start_and_stops_everything(
    start: Start, monkeypatch: pytest.MonkeyPatch, step: str, lost: bool
) -> None:
    """Even if the exception is lost on the way; a second signal does not interrupt the stop."""
    owner, name = STEPS[step]
    original = getattr(owner, name)
    stopped = []

    def interrupted(*args: Any, **named: Any) -> Any:
        try:
            send()
        except KeyboardInterrupt:
            if not lost:
                raise
        return original(*args, **named)

    def stop(*_: Any) -> None:
        send()
        stopped.append("all")

    monkeypatch.setattr(owner, name, interrupted)
    monkeypatch.setattr(lifecycle, "stop", stop)
    with pytest.raises(KeyboardInterrupt):
        start.run()
    assert stopped == ["all"] or step == "refuse or clean"
    assert not start.ready
