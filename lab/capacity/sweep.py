"""A capacity sweep on the running lab.

The sweep holds the drills' lock and journal: no drill runs beside it, and whatever ends it, also a kill, the lab's
configuration and load are put back. Afterwards monitoring starts with a clean slate, because the sweep spends error
budgets and fires alerts that mean nothing.
"""

from __future__ import annotations

import os
import platform
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import valkey
from valkey.exceptions import ValkeyError

from lab.capacity import bursts, journal
from lab.capacity.calibration import Calibrator
from lab.capacity.configurations import ACTOR, DEFAULT, Configuration, control_state, known
from lab.capacity.documents import Header, Host, Step, Sweep
from lab.capacity.schedule import Next, limit, next_of_curve, next_step, verdicts
from lab.capacity.step import Stepper, broken, holds
from lab.clients.times import utc_text
from lab.control.lab_clients import LabClients
from lab.drills.faults import FaultContext
from lab.drills.faults.load import LoadMultiplier
from lab.drills.faults.process import ProcessSignal
from lab.drills.run.stoppable import stoppable
from lab.drills.runner import require_nothing_staged
from lab.drills.schema.journal import ControlState
from lab.drills.undo.journal import exclusive, undo, undoing
from lab.drills.undo.snapshot import restore, take
from lab.drills.undo.watchdog import guarded
from lab.errors import LabError, NotRunning
from lab.services.feed.page_cache import KEEP_STALE_SECONDS
from lab.slo.catalogue import committed
from lab.stack import clean_slate
from lab.stack.backends import valkey as cache
from lab.stack.health import status

NAME = "capacity sweep"
# The first load of all: above default traffic, which holds.
START_PER_SECOND = 200.0
EXPIRY_MARGIN_SECONDS = 900.0
READY_SECONDS = 60.0

Report = Callable[[str], None]


@dataclass
class Runner:
    """Runs the steps of one sweep; `until` is a monotonic time after which no new block begins."""

    clients: LabClients
    calibrator: Calibrator
    configurations: Sequence[Configuration]
    sweep: Sweep
    until: float
    report: Report
    stepper: Stepper = field(init=False)
    base: ControlState = field(init=False)
    states: dict[str, ControlState] = field(default_factory=dict)
    active: str = ""

    def __post_init__(self) -> None:
        self.stepper = Stepper(self.clients, self.calibrator)
        self.base = take(self.clients)

    def run(self, blocks: int | None) -> None:
        """Measure block after block, the curve after the first, and the bursts at the end."""
        block, longest = 0, 0.0
        while blocks is None or block < blocks:
            began = time.monotonic()
            if block and blocks is None and began + longest > self.until:
                break
            while planned := next_step(self.sweep, holds, START_PER_SECOND, block):
                self._step(planned)
            if block == 0:
                while planned := next_of_curve(self.sweep, holds):
                    self._step(planned)
            elif (took := time.monotonic() - began) > 1:
                longest = max(longest, took)
            block += 1
        self._bursts()

    def _step(self, planned: Next) -> None:
        configuration = next(one for one in self.configurations if one.name == planned.configuration)
        lose = self._enter(configuration)
        step = self.stepper.run(planned, lose, last=self._refused_before(planned))
        journal.append(self.clients.home, step)
        self.sweep.steps.append(step)
        left = max(0.0, self.until - time.monotonic()) / 60
        self.report(f"{left:3.0f} min  {one_line(step)}")

    def _refused_before(self, planned: Next) -> bool:
        """Whether the step before was the same one, and did not count."""
        before = self.sweep.steps[-1] if self.sweep.steps else None
        return before is not None and bool(before.refused) and before.configuration == planned.configuration

    def _enter(self, configuration: Configuration) -> Callable[[], None] | None:
        """Change the lab to a configuration; returns what takes its lost replica away, if that is still to be done."""
        if self.active == configuration.name:
            return None
        self._bring_back()
        if configuration.name not in self.states:
            self.states[configuration.name] = control_state(self.clients, self.base, configuration)
        restore(self.clients, self.states[configuration.name], f"{NAME}: {configuration.title}")
        self._wait_ready()
        age_feeds(self.clients, configuration.feed_ttl_seconds)
        self.active = configuration.name
        if not configuration.lost:
            return None
        return lambda: lost(configuration.lost).inject(self._context)

    @property
    def _context(self) -> FaultContext:
        return FaultContext(self.clients)

    def _bring_back(self) -> None:
        for one in self.configurations:
            if one.lost and one.name == self.active:
                lost(one.lost).undo(self._context, {"instances": [one.lost]})

    def _wait_ready(self) -> None:
        end = time.monotonic() + READY_SECONDS
        while not (now := status.gather(self.clients.home, self.clients.ports)).ready:
            if time.monotonic() > end:
                raise LabError(f"the lab is not ready after a change: {'; '.join(now.waiting_for)}")
            time.sleep(0.5)

    def _bursts(self) -> None:
        default = [step for step in self.sweep.counted if step.configuration == DEFAULT]
        if not default:
            return
        self._enter(self.configurations[[one.name for one in self.configurations].index(DEFAULT)])
        base = bursts.BASE_RATIO * limit(verdicts(default, holds))
        for factor in bursts.FACTORS[len(self.sweep.bursts) :]:
            row = bursts.measure(self.clients, base, factor)
            journal.append(self.clients.home, row)
            self.sweep.bursts.append(row)
            self.report(
                f"         burst of {factor:g} times {base:.0f}/s: {sum(row.good)} of {sum(row.arrivals)} answered"
            )


def lost(replica: str) -> ProcessSignal:
    """A replica whose machine is gone: killed, and not restarted."""
    return ProcessSignal(process=replica, signal="KILL", stays_down=True)


def one_line(step: Step) -> str:
    """A step for a person: load, verdict, and why."""
    if step.refused:
        verdict = f"does not count: {step.refused}"
    elif worst := broken(step.slos, committed()):
        verdict = f"fails   {worst[0]} {step.slos[worst[0]].bad_ratio:.2%} bad"
    else:
        verdict = "holds"
    return (
        f"{step.configuration:13} {step.offered_per_second:6.1f}/s {step.seconds:4.0f} s"
        f"  p99 {step.latency['feed'].p99_seconds * 1000:5.0f} ms  {verdict}"
    )


def age_feeds(clients: LabClients, ttl_seconds: float) -> None:
    """Give every cached feed a remaining lifetime as it would have in a long run with this TTL: uniform from 0 to it.

    Otherwise the effect of another TTL would only show after a TTL, and then for all feeds at once.
    """
    client = valkey.Valkey.from_url(cache.url(clients.ports.valkey), socket_timeout=5)
    chance = random.Random(int(ttl_seconds))  # noqa: S311 - a workload
    try:
        for key in client.scan_iter("feed:1.0:*"):
            client.pexpire(key, int((KEEP_STALE_SECONDS + chance.uniform(0, ttl_seconds)) * 1000))
    except ValkeyError as error:
        raise NotRunning(f"the cache does not answer: {error}; see `fleetops status`") from None
    finally:
        client.close()  # type: ignore[no-untyped-call]


def sweep(
    clients: LabClients,
    names: Sequence[str],
    minutes: float,
    seed: int,
    report: Report,
    *,
    blocks: int | None = None,
    fresh: bool = False,
) -> Sweep:
    """Run a sweep, or go on with an unfinished one of the same configurations (all without `names`).

    The journal stays; the caller removes it once the result is stored. Raises UsageError for an unknown configuration
    or an unfinished sweep of others, DrillRunning, NotRunning, and LabError (also for Ctrl-C, which loses nothing).
    """
    configurations = known(names)
    if fresh:
        journal.finish(clients.home)
    acting = clients.acting_as(ACTOR)
    header = Header(
        started_at=utc_text(time.time()),
        seed=seed,
        configurations=[one.name for one in configurations],
        host=host(acting),
    )
    so_far = journal.resume(clients.home, header)
    if so_far.steps:
        report(f"resuming the sweep of {so_far.header.started_at}: {len(so_far.steps)} steps are done")
    until = time.monotonic() + minutes * 60
    try:
        with prepared(acting, minutes, report), Calibrator() as calibrator:
            Runner(acting, calibrator, configurations, so_far, until, report).run(blocks)
    except KeyboardInterrupt:
        raise LabError(
            f"stopped after {len(so_far.steps)} steps; the lab was put back, and the same command goes on from here"
        ) from None
    return so_far


def host(clients: LabClients) -> Host:
    """This machine, and the lab's versions."""
    return Host(
        cpus=os.cpu_count() or 1,
        cpu_model=_cpu_model(),
        machine=platform.machine(),
        memory_mib=psutil.virtual_memory().total >> 20,
        python=platform.python_version(),
        prometheus=clients.prometheus.version(),
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


@contextmanager
def prepared(clients: LabClients, minutes: float, report: Report) -> Iterator[None]:
    """Take the lab for a sweep: undo earlier drills, and put everything back afterwards, with a clean slate."""
    clients.retry_reads()
    with exclusive(clients.home), stoppable(clients.home, NAME):
        for line in undo(clients):
            report(f"undid an earlier drill: {line}")
        require_nothing_staged(clients)
        faults = (LoadMultiplier(multiplier=1.0), lost("feed-1"))
        expires_at = time.time() + minutes * 60 + EXPIRY_MARGIN_SECONDS
        with ExitStack() as ending:
            ending.callback(_clean, clients, report)
            ending.enter_context(guarded(clients.home, clients.ports, expires_at))
            ending.enter_context(undoing(clients, NAME, faults, expires_at))
            yield


def _clean(clients: LabClients, report: Report) -> None:
    seconds = clean_slate.clean(clients.home, clients.ports, clients.pager)
    report(f"the lab is as before; history deleted, every error budget full ({seconds:.1f} s)")
