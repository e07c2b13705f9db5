"""Pushes a configuration in stages: to one replica, which is judged against the others, then to all; or takes it back.

While the replica bakes, the active version is still the old one: a replica that crashes meanwhile, this one included,
comes back with the settings that are known to work.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.change.risk import STAGED
from lab.clients.times import utc_text
from lab.control import config
from lab.control.lab_clients import LabClients
from lab.errors import LabError, UsageError
from lab.paths import Home
from lab.rollout import counts, journal
from lab.rollout.controller import firing_pages
from lab.rollout.counts import Scrape
from lab.rollout.judge import Verdict
from lab.rollout.policy import Policy
from lab.rollout.record import PushRecord, Step, step
from lab.slo.catalogue import LAB, load_windows, slos_of
from lab.slo.model import Slo
from lab.stack import configs, replicas
from lab.stack.configs import Version
from lab.stack.health import probes
from lab.stack.processes import supervision
from lab.stack.programs import Program, url

Report = Callable[[str], None]
REPORT_SECONDS = 5.0


class TakenBack(LabError):
    """The push was taken back; the message says why."""


@dataclass(frozen=True)
class Seen:
    """What was seen of the replica after it has run the new version for `lasted_seconds`.

    `restarts` are those that nobody asked for, `step` the verdict on it; None where it is not compared, or while
    Prometheus has no counts. `pages` are the service's firing pages.
    """

    lasted_seconds: float
    restarts: int
    unready_seconds: float
    step: Step | None
    pages: tuple[str, ...]


def decide(policy: Policy, seen: Seen, *, compared: bool) -> tuple[Verdict, str]:
    """Whether the other replicas get the new version (pass), the replica gets the old one (fail), or neither yet.

    `compared`: whether there are other replicas to judge it by; alone, it passes by staying up for the policy's dwell.
    """
    if seen.restarts:
        return Verdict.FAIL, "the replica ended by itself and was restarted"
    if seen.unready_seconds >= policy.unready_seconds:
        return Verdict.FAIL, f"the replica has not been ready for {seen.unready_seconds:.0f} s"
    if seen.step is not None and seen.step.verdict is Verdict.FAIL:
        return Verdict.FAIL, seen.step.reason
    if seen.lasted_seconds < policy.dwell_seconds:
        return Verdict.HOLD, "the replica bakes"
    if seen.pages:
        verdict, why = Verdict.HOLD, f"{', '.join(seen.pages)} fires"
    elif seen.unready_seconds:
        verdict, why = Verdict.HOLD, "the replica is not ready"
    elif not compared:
        return Verdict.PASS, f"the only replica stayed up for {policy.dwell_seconds:g} s"
    elif seen.step is None:
        verdict, why = Verdict.HOLD, "Prometheus has no counts"
    else:
        verdict, why = seen.step.verdict, seen.step.reason
    if verdict is Verdict.HOLD and seen.lasted_seconds >= policy.deadline_seconds:
        return Verdict.FAIL, f"not enough evidence after {policy.deadline_seconds:g} s: {why}"
    return verdict, why


def push(
    clients: LabClients,
    service: str,
    changes: configs.Settings,
    policy: Policy,
    reason: str = "",
    report: Report = lambda _: None,
) -> PushRecord:
    """Push `changes` to one replica of `service`, then to all or to none; the record says which, and why.

    Raises UsageError, having changed nothing, for settings that the service would reject, and while a rollout or
    another push is under way. Any error in the middle takes the push back as well.
    """
    settings = config.checked_settings(clients, service, changes)
    old = configs.current(clients.home, service)
    if old.version < 0:
        raise UsageError(f"{service}'s configuration is damaged; run `fleetops config rollback {service}` first")
    with pushing(clients.home):
        staged = _Push(clients, service, policy, old, report)
        staged.require_no_rollout()
        outcome, why = "pushed", ""
        try:
            with clients.trail.action("config push", service, new=config.audited(old), reason=reason) as change:
                change.old = config.audited(old)
                new = configs.add(clients.home, service, settings, clients.trail.actor, reason)
                change.new = {**config.audited(new), STAGED: [program.name for program in staged.in_order]}
                why = staged.run(new)
        except TakenBack as taken:
            outcome, why = "taken back", str(taken)
    return PushRecord(
        id=f"{service}-config-{new.version}", service=service,
        changes={key: "" if value is None else str(value) for key, value in changes.items()},
        old_version=old.version, new_version=new.version, replica=staged.replica.name,
        outcome="pushed" if outcome == "pushed" else "taken back", reason=why, by=clients.trail.actor, policy=policy,
        started_at=staged.started_at, ended_at=utc_text(time.time()), step=staged.step, pages=sorted(staged.pages),
    )  # fmt: skip


@dataclass
class _Push:
    """One push under way: the replica that has the new version first, and what has been restarted with it."""

    clients: LabClients
    service: str
    policy: Policy
    old: Version
    report: Report
    step: Step | None = None
    pages: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.programs = configs.instances(self.clients.home, self.clients.ports, self.service)
        self.in_order = self.programs[::-1]
        self.replica = self.in_order[0]
        self.slos = slos_of(self.service) if len(self.programs) > 1 else []
        self.changed: list[Program] = []
        self.started_at = utc_text(time.time())

    def require_no_rollout(self) -> None:
        """Raise UsageError while a rollout is under way: the gateway compares one pair of versions at a time."""
        rollout = journal.load(self.clients.home)
        if rollout is not None and not rollout.is_over:
            raise UsageError(
                f"the rollout of {rollout.service} {rollout.version} is {rollout.phase};"
                " a configuration is pushed before or after it"
            )

    def run(self, new: Version) -> str:
        """Stage `new`, which is active; returns why it passed. Raises TakenBack, and takes back on any error."""
        home = self.clients.home
        try:
            self.report(f"{self.replica.name} restarts with version {new.version}")
            self._restart(self.replica)
            configs.activate(home, self.service, self.old.version)
            why = self._bake(f"{self.service}-config-{new.version}")
            configs.activate(home, self.service, new.version)
            for program in self.in_order[1:]:
                self.report(f"{program.name} restarts with version {new.version}")
                self._restart(program)
        except BaseException as error:
            configs.activate(home, self.service, self.old.version)
            self.report(f"taking version {new.version} back")
            for program in self.changed:
                replicas.restart(home, self.clients.ports, program.name)
            if isinstance(error, LabError) and not isinstance(error, TakenBack):
                raise TakenBack(str(error)) from error
            raise
        return why

    def _restart(self, program: Program) -> None:
        self.changed.append(program)
        replicas.restart(self.clients.home, self.clients.ports, program.name)

    def _bake(self, key: str) -> str:
        """Watch the replica until it passes; returns why. Raises TakenBack when it fails."""
        gateway, replica = self.clients.gateway, self.replica
        restarted = supervision.unplanned_starts(self.clients.home, replica.name)
        if self.slos:
            address = (self.service, url(replica.ports[0]))
            gateway.set_part(counts.PART, counts.counting(key, self.slos, address))
        began = said = time.monotonic()
        unready_since = 0.0
        start = time.time()
        try:
            while True:
                time.sleep(1)
                now = time.monotonic()
                unready = bool(probes.readiness(replica).reason)
                unready_since = (unready_since or now) if unready else 0.0
                pages = firing_pages(self.clients, self.service)
                self.pages.update(pages)
                self.step = self._judged(key, start) or self.step
                verdict, why = decide(
                    self.policy,
                    Seen(
                        lasted_seconds=now - began,
                        restarts=supervision.unplanned_starts(self.clients.home, replica.name) - restarted,
                        unready_seconds=now - unready_since if unready else 0.0,
                        step=self.step,
                        pages=pages,
                    ),
                    compared=bool(self.slos),
                )
                if verdict is Verdict.FAIL:
                    raise TakenBack(f"after {now - began:.1f} s on {replica.name}: {why}")
                if verdict is Verdict.PASS:
                    return why
                if now - said > REPORT_SECONDS:
                    self.report(f"{replica.name} for {now - began:.0f} s: {why}")
                    said = now
        finally:
            if self.slos:
                gateway.set_part(counts.PART, counts.NOTHING)

    def _judged(self, key: str, start: float) -> Step | None:
        """The verdict on the replica's counts so far; None without any."""
        try:
            scrapes: list[Scrape] = counts.read(self.clients.prometheus, key, start, time.time()) if self.slos else []
            bounds = _bounds(self.policy, self.slos)
            share = 100 / len(self.programs)
            return step(0, 0, share, scrapes, bounds, self.policy.push_limits) if scrapes else None
        except (LabError, counts.CountersReset):
            return None


def _bounds(policy: Policy, slos: list[Slo]) -> dict[str, float]:
    """The bad ratio below which the replica passes: what would page with the new version on every replica."""
    return policy.bounds(slos, load_windows(LAB), len(policy.steps_percent) - 1)


@contextmanager
def pushing(home: Home) -> Iterator[None]:
    """Be the one staged push. Raises UsageError while there is another."""
    home.run.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(home.run / "config.push", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise UsageError("a configuration push is under way; wait for its end") from None
    try:
        yield
    finally:
        os.close(descriptor)
