"""A capacity sweep on the running lab."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from lab.capacity import bursts, journal
from lab.capacity.calibration import Calibrator
from lab.capacity.configurations import ACTOR, DEFAULT, Configuration, control_state, enter, known
from lab.capacity.documents import Header, Step, Sweep
from lab.capacity.exclusive import Report, exclusive_lab
from lab.capacity.machine import host
from lab.capacity.schedule import Next, limit, next_of_curve, next_step, verdicts
from lab.capacity.step import Stepper, broken, holds
from lab.clients.times import utc_text
from lab.control.lab_clients import LabClients
from lab.drills.faults import FaultContext
from lab.drills.faults.load import LoadMultiplier
from lab.drills.faults.process import ProcessSignal
from lab.drills.schema.journal import ControlState
from lab.drills.undo.snapshot import take
from lab.errors import LabError
from lab.slo.catalogue import committed

NAME = "capacity sweep"
# The first load of all: above default traffic, which holds.
START_PER_SECOND = 200.0


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

    def run(self, blocks: int | None, steps: int | None) -> bool:
        """Measure block after block, the curve after the first, and the bursts at the end.

        Returns False when it stopped before, after so many `steps`.
        """
        for done, planned in enumerate(self._planned(blocks)):
            if done == steps:
                return False
            self._step(planned)
        self._bursts()
        return True

    def _planned(self, blocks: int | None) -> Iterator[Next]:
        """The steps in order. Each depends on those before it, so it is decided when it is asked for."""
        block, longest = 0, 0.0
        while blocks is None or block < blocks:
            began = time.monotonic()
            if block and blocks is None and began + longest > self.until:
                return
            while planned := next_step(self.sweep, holds, START_PER_SECOND, block):
                yield planned
            if block == 0:
                while planned := next_of_curve(self.sweep, holds):
                    yield planned
            elif (took := time.monotonic() - began) > 1:
                longest = max(longest, took)
            block += 1

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
        enter(
            self.clients,
            self.states[configuration.name],
            configuration.feed_ttl_seconds,
            f"{NAME}: {configuration.title}",
        )
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


def sweep(
    clients: LabClients,
    names: Sequence[str],
    minutes: float,
    seed: int,
    report: Report,
    *,
    blocks: int | None = None,
    steps: int | None = None,
    fresh: bool = False,
) -> tuple[Sweep, bool]:
    """Run a sweep, or go on with an unfinished one of the same configurations (all without `names`).

    Returns it, and whether it is complete; with `steps` it stops after so many. The journal stays; the caller removes
    it once the result is stored. Raises UsageError for an unknown configuration or an unfinished sweep of others,
    DrillRunning, NotRunning, and LabError (also for Ctrl-C, which loses nothing).
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
        faults = (LoadMultiplier(multiplier=1.0), lost("feed-1"))
        with exclusive_lab(acting, NAME, faults, minutes * 60, report), Calibrator() as calibrator:
            complete = Runner(acting, calibrator, configurations, so_far, until, report).run(blocks, steps)
    except KeyboardInterrupt:
        raise LabError(
            f"stopped after {len(so_far.steps)} steps; the lab was put back, and the same command goes on from here"
        ) from None
    return so_far, complete
