"""Pushes a configuration in stages: to one replica, which is judged against the others, then to all; or takes it back.

Until the replica has passed, the old version stays the active one, and only that replica reads the new one, from a file
of its own. Whoever activates a version in the meantime deletes that file, and with it the push.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.change import ask
from lab.change.policy import CONFIG
from lab.change.risk import STAGED
from lab.clients.times import utc_text
from lab.control import config
from lab.control.lab_clients import LabClients
from lab.errors import LabError, UsageError
from lab.rollout import counts, journal
from lab.rollout.controller import firing_pages
from lab.rollout.counts import Scrape
from lab.rollout.judge import Verdict
from lab.rollout.policy import Policy, push_bounds
from lab.rollout.push_decision import Seen, decide
from lab.rollout.record import PushRecord
from lab.rollout.recorded_step import Step, step
from lab.rollout.signals import interruptible, uninterrupted
from lab.slo.catalogue import slos_of
from lab.stack import configs, replicas, state
from lab.stack.configs import Version
from lab.stack.health import probes
from lab.stack.processes import supervision
from lab.stack.programs import Program, url

Report = Callable[[str], None]
REPORT_SECONDS = 5.0


class TakenBack(LabError):
    """The push was taken back; the message says why."""


def push(
    clients: LabClients,
    service: str,
    changes: configs.Settings,
    policy: Policy,
    reason: str = "",
    report: Report = lambda _: None,
) -> PushRecord:
    """Push `changes` to one replica of `service`, then to all or to none; the record says which, and why.

    Raises UsageError, having changed nothing, for settings that the service would reject, while a rollout or another
    push is under way, and when the error-budget policy refuses it. An error in the middle takes the push back as well,
    and so do SIGINT, SIGTERM and SIGHUP.
    """
    with journal.pushing(clients.home), interruptible():
        # The gateway compares one pair of versions at a time.
        journal.require_none(clients.home, "a configuration is pushed before or after it")
        settings = config.checked_settings(clients, service, changes)
        old = configs.current(clients.home, service)
        if old.version < 0:
            raise UsageError(f"{service}'s configuration is damaged; run `fleetops config rollback {service}` first")
        for owner in ask.affected(service):
            ask.require(clients, owner, CONFIG)  # last, so that the audit log has no refusal of an impossible push
        under_way = _Push(clients, service, policy, old, report)
        taken_back, why = True, ""
        try:
            with clients.trail.action("config push", service, new={"settings": settings}, reason=reason) as change:
                change.old = config.audited(old)
                under_way.new = new = configs.stage(
                    clients.home, service, under_way.replica.name, settings, clients.trail.actor, reason
                )
                change.new = {**config.audited(new), STAGED: [under_way.replica.name]}
                try:
                    why = under_way.run()
                    change.new[STAGED] = [program.name for program in under_way.changed]
                    taken_back = False
                except TakenBack as taken:
                    why = str(taken)
            if taken_back:
                under_way.take_back(why)
        except BaseException as error:
            if under_way.new.version > old.version and taken_back and not under_way.is_back:
                under_way.take_back(str(error) or type(error).__name__)
            raise
    return PushRecord(
        id=f"{service}-config-{new.version}", service=service,
        changes={key: "" if value is None else str(value) for key, value in changes.items()},
        old_version=old.version, new_version=new.version, replica=under_way.replica.name,
        outcome="taken back" if taken_back else "pushed", reason=why, by=clients.trail.actor, policy=policy,
        started_at=under_way.started_at, ended_at=utc_text(time.time()), step=under_way.step,
        pages=sorted(under_way.pages),
    )  # fmt: skip


@dataclass
class _Push:
    """One push under way: the replica that has the new version first, and what has been restarted with it."""

    clients: LabClients
    service: str
    policy: Policy
    old: Version
    report: Report
    new: Version = field(default_factory=Version)
    step: Step | None = None
    pages: set[str] = field(default_factory=set)
    changed: list[Program] = field(default_factory=list)
    is_back: bool = False

    def __post_init__(self) -> None:
        home, ports = self.clients.home, self.clients.ports
        programs = configs.instances(home, ports, self.service)
        routing = state.read_routing(home)
        elsewhere = {*routing.drained, *routing.detours}
        # The last one that the gateway asks directly; if there is none, nothing can be compared.
        asked = [program for program in programs if program.name not in elsewhere]
        self.replica = (asked or programs)[-1]
        self.slos = slos_of(self.service) if len(asked) > 1 else []
        self.share_percent = 100 / max(1, len(asked))
        self.started_at = utc_text(time.time())

    def run(self) -> str:
        """Stage the new version, and roll it once it has passed; returns why. Raises TakenBack when it must go back."""
        home = self.clients.home
        try:
            self.report(f"{self.replica.name} restarts with version {self.new.version}")
            starts = supervision.starts(home, self.replica.name) + 1
            self._restart(self.replica)
            why = self._bake(starts)
            configs.activate(home, self.service, self.new.version)
            for program in configs.instances(home, self.clients.ports, self.service):
                if program.name != self.replica.name:
                    self.report(f"{program.name} restarts with version {self.new.version}")
                    self._restart(program)
        except LabError as error:
            raise TakenBack(str(error)) from error
        return why

    def take_back(self, why: str) -> None:
        """Restart with the old version what has the new one. LabError names the replicas that did not restart.

        After another version was activated by somebody, that one stays.
        """
        home, failed = self.clients.home, []
        with uninterrupted(), self.clients.trail.action("config rollback", self.service, reason=why) as change:
            change.old, change.new = config.audited(self.new), config.audited(self.old)
            overtaken = self._overtaken()
            if not overtaken:
                configs.activate(home, self.service, self.old.version)
            configs.mark_taken_back(home, self.service, self.new)
            self.is_back = True
            for program in [] if overtaken else self.changed:
                try:
                    replicas.restart(home, self.clients.ports, program.name)
                except LabError as error:
                    failed.append(f"{program.name} ({error})")
            if failed:
                raise LabError(f"version {self.new.version} is taken back, but not ready are: {', '.join(failed)}")
        self.report(f"version {self.new.version} is taken back")

    def _overtaken(self) -> bool:
        """Whether somebody activated another version since the push began."""
        active = configs.current(self.clients.home, self.service).version
        if active == self.new.version:
            return False
        return active != self.old.version or self.replica.name not in configs.staged(self.clients.home, self.service)

    def _restart(self, program: Program) -> None:
        self.changed.append(program)
        replicas.restart(self.clients.home, self.clients.ports, program.name)

    def _bake(self, starts: int) -> str:
        """Watch the replica after its start number `starts` until it passes; returns why. TakenBack when it fails."""
        gateway, replica, now = self.clients.gateway, self.replica, time.monotonic
        began = said = now()
        unready_since, attempt, since = 0.0, 0, 0.0
        try:
            while True:
                if self.slos and not since:
                    attempt, since = attempt + 1, time.time()
                    address = (self.service, url(replica.ports[0]))
                    gateway.set_part(counts.PART, counts.counting(self._key(attempt), self.slos, address))
                time.sleep(1)
                unready = bool(probes.readiness(replica).reason)
                unready_since = (unready_since or now()) if unready else 0.0
                pages = self._firing()
                self.pages.update(pages)
                try:
                    judged = self._judged(self._key(attempt), since)
                except counts.CountersReset:  # the gateway restarted, so the counts begin again
                    judged, since = None, 0.0
                self.step = judged or self.step
                lasted = now() - began
                verdict, why = decide(
                    self.policy,
                    Seen(
                        lasted_seconds=lasted,
                        restarts=supervision.starts(self.clients.home, replica.name) - starts,
                        unready_seconds=now() - unready_since if unready else 0.0,
                        step=judged, pages=pages, overtaken=self._overtaken(),
                    ),
                    compared=bool(self.slos),
                )  # fmt: skip
                if verdict is Verdict.FAIL:
                    raise TakenBack(f"after {lasted:.0f} s on {replica.name}: {why}")
                if verdict is Verdict.PASS:
                    return why
                if now() - said > REPORT_SECONDS:
                    self.report(f"{replica.name} for {lasted:.0f} s: {why}")
                    said = now()
        finally:
            if self.slos:
                gateway.set_part(counts.PART, counts.NOTHING)

    def _key(self, attempt: int) -> str:
        return f"{self.service}-config-{self.new.version}/{attempt}"

    def _firing(self) -> tuple[str, ...]:
        return tuple(sorted(set(firing_pages(self.clients, {self.service, *ask.affected(self.service)}))))

    def _judged(self, key: str, start: float) -> Step | None:
        """The verdict on the replica's counts so far; None without any. Raises CountersReset."""
        try:
            scrapes: list[Scrape] = counts.read(self.clients.prometheus, key, start, time.time()) if self.slos else []
        except LabError:
            return None
        if not scrapes:
            return None
        bounds = push_bounds(self.policy, self.slos)
        return step(0, 0, self.share_percent, scrapes, bounds, self.policy.push_limits)
