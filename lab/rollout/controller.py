"""The controller of a rollout: makes the system what the journal says, looks at it, and decides the next step.

`Controller.tick` does that once; the process (`python -m lab.rollout`) calls it every second. Each tick starts from
the journal alone, and what it does can be done twice, so a controller that was killed is replaced by the next one.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace

import msgspec

from lab import names
from lab.change import ask
from lab.change.policy import ROLLOUT
from lab.clients.times import epoch_seconds, utc_text
from lab.control import actions, config
from lab.control.lab_clients import LabClients
from lab.errors import LabError
from lab.rollout import counts, journal, progress
from lab.rollout.decide import Canary, Seen, count_again, decide, move, not_ours
from lab.rollout.evidence import Interval, mismatch
from lab.rollout.journal import Rollout
from lab.rollout.judge import Judgement, Verdict, judge
from lab.slo.catalogue import LAB, load_windows, slos_of
from lab.slo.model import PAGE
from lab.stack import configs, replicas
from lab.stack.health import probes
from lab.stack.processes import supervision
from lab.stack.programs import REPLICA_MODULES

VERSION = "version"  # the setting of a service's configuration that names its version
CANARY_PART = "canary"
# A controller that is killed is back within seconds; a longer gap is a stopped lab.
UNWATCHED_SECONDS = 15.0


class Controller:
    """Controls the one rollout of a lab. `clients` audit in the name of the controller."""

    def __init__(self, clients: LabClients) -> None:
        self._clients = clients.acting_as(names.ROLLOUT_CONTROLLER)
        self._windows = load_windows(LAB)
        self._last = time.monotonic()
        self._unready_since: float | None = None

    def tick(self) -> Rollout | None:
        """One round; returns the journal after it, None without a rollout.

        The journal is locked only while it is written, so a person need not wait for Prometheus. What somebody wrote
        meanwhile is left alone; the next tick sees it. Raises LabError for a damaged journal.
        """
        home = self._clients.home
        rollout = journal.load(home)
        if rollout is None or rollout.is_over:
            return rollout
        unwatched = self._unwatched()
        seen = self._look(rollout)
        with journal.locked(home):
            if journal.load(home) != rollout:
                return rollout
            if unwatched and rollout.since:
                rollout = count_again(rollout, f"nobody watched the rollout for {unwatched:.0f} s")
                journal.save(home, rollout)
            rollout, before = self._enforced(rollout, seen), rollout
        if rollout.phase not in ("stepping", "held") or rollout.applied_percent != before.applied_percent:
            return rollout  # what was seen is of before the change
        seen = self._judged(seen, rollout)
        with journal.locked(home):
            if journal.load(home) != rollout:
                return rollout
            after = decide(rollout, seen)
            if after != rollout:
                journal.save(home, after)
            return self._enforced(after, seen) if after.phase == "aborting" else after

    def _unwatched(self) -> float:
        """The seconds since the last tick of any controller, if they are too many for its counts; else 0."""
        file, now = self._clients.home.run / "rollout.tick", time.time()
        try:
            gap = now - float(file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            gap = 0.0
        file.write_text(f"{now:.3f}", encoding="ascii")
        return gap if gap > UNWATCHED_SECONDS else 0.0

    def _enforced(self, rollout: Rollout, seen: Seen) -> Rollout:
        """Make the system what the journal says. An obstacle is noted in the journal; the next tick tries again."""
        try:
            return self._enforce(rollout, seen)
        except LabError as error:
            frozen = msgspec.structs.replace(rollout, frozen=str(error))
            if frozen != rollout:
                journal.save(self._clients.home, frozen)
            return frozen

    def _enforce(self, rollout: Rollout, seen: Seen) -> Rollout:
        if rollout.phase == "aborting":
            return self._end(rollout, "aborted")
        if rollout.phase == "promoting":
            self._run(rollout.service, rollout.version, rollout.reason)
            return self._end(rollout, "promoted")
        if seen.weight_percent is None or rollout.since:
            return rollout
        gateway, weight = self._clients.gateway, seen.weight_percent
        if rollout.phase == "stepping":
            if rollout.applied_percent == 0:
                self._run(names.CANARY_OF[rollout.service], rollout.version, rollout.reason)
            if weight == rollout.applied_percent != rollout.wanted_percent:
                gateway.set_part(CANARY_PART, {"salt": rollout.salt})
                actions.set_canary_weight(self._clients, rollout.wanted_percent, rollout.reason)
                weight = rollout.wanted_percent
        elif not_ours(rollout, seen):
            return rollout
        if weight == rollout.wanted_percent:
            gateway.set_part(counts.PART, counts.counting(rollout.step_key, slos_of(rollout.service)))
            rollout = msgspec.structs.replace(rollout, applied_percent=weight, since=utc_text(time.time()), frozen="")
            journal.save(self._clients.home, rollout)
        return rollout

    def _end(self, rollout: Rollout, phase: journal.Phase) -> Rollout:
        """Send no client to the canary, put the versions back, and end the rollout."""
        service, canary = rollout.service, names.CANARY_OF[rollout.service]
        if phase == "aborted" and self._promotion_began(rollout):
            # Before the weight falls: the clients that stable still has get the old version back first.
            self._go_back(service, rollout.stable_config, rollout.reason)
        gateway = self._clients.gateway
        if gateway.canary_weight() != 0:
            actions.set_canary_weight(self._clients, 0, rollout.reason)
        gateway.set_part(CANARY_PART, {"salt": ""})
        gateway.set_part(counts.PART, counts.NOTHING)
        self._go_back(canary, rollout.canary_config, f"{phase}: {rollout.reason}")
        ended = move(rollout, phase, time.time(), names.ROLLOUT_CONTROLLER, rollout.reason)
        with self._clients.trail.action("rollout end", service, new=phase, reason=rollout.reason) as change:
            change.old = rollout.phase
            journal.save(self._clients.home, ended)
        return ended

    def _promotion_began(self, rollout: Rollout) -> bool:
        """Whether stable has been told to run the new version, or runs it. Somebody's other settings are not ours."""
        return self._config(rollout.service).settings.get(
            VERSION
        ) == rollout.version or rollout.version in self._versions(rollout.service)

    def _run(self, service: str, version: str, reason: str) -> None:
        """Have every replica of `service` run `version`. A controller that was killed may have left some behind."""
        if self._config(service).settings.get(VERSION) != version:
            config.push(self._clients, service, {VERSION: version}, reason)
        elif self._versions(service) - {version}:
            actions.restart(self._clients, service, reason)

    def _go_back(self, service: str, config_version: int, reason: str) -> None:
        """Have `service` run with a configuration that it had before."""
        before = configs.find(self._clients.home, service, config_version)
        version = str(before.settings.get(VERSION, REPLICA_MODULES[service][1]))
        if self._config(service).version != config_version:
            config.activate(self._clients, service, config_version, reason)
        elif self._versions(service) - {version}:
            actions.restart(self._clients, service, reason)

    def _versions(self, service: str) -> set[str]:
        """The versions that the replicas run, of those that answer."""
        programs = replicas.instances(self._clients.home, self._clients.ports, service)
        return {probes.version(program) for program in programs} - {""}

    def _config(self, service: str) -> configs.Version:
        return configs.current(self._clients.home, service)

    def _look(self, rollout: Rollout) -> Seen:
        """What decides the next step, except the counts. A part that does not answer is never taken for harm."""
        now, ticked = time.time(), time.monotonic()
        since_last, self._last = ticked - self._last, ticked
        seen = Seen(now, since_last, None, True, self._canary(rollout), None)
        try:
            state = self._clients.gateway.state()
        except LabError:
            return seen
        weight, flag = state.canary.weight_percent, state.flags.get("canary")
        seen = replace(seen, weight_percent=weight, switch_on=flag is None or flag.enabled)
        return replace(seen, pages=firing_pages(self._clients, {rollout.service}))

    def _judged(self, seen: Seen, rollout: Rollout) -> Seen:
        """What was seen, with the verdict on the counts; without one if the traffic is not as asked."""
        if not rollout.since or seen.weight_percent is None or not_ours(rollout, seen):
            return seen
        slos = [slo.sloth_id for slo in slos_of(rollout.service)]
        start = epoch_seconds(rollout.since)
        try:
            scrapes = counts.read(self._clients.prometheus, rollout.step_key, start, seen.now)
            by_slo = counts.intervals(scrapes, slos)
        except counts.CountersReset:
            return replace(seen, reset=True)
        except LabError:
            return seen
        if not scrapes:
            return seen
        judgement = self.judgement(rollout, by_slo)
        progress.save(self._clients.home, rollout, judgement)
        weight = rollout.applied_percent / 100
        canary, stable = (scrapes[-1].get((slos[0], arm), counts.Totals()).clients for arm in counts.ARMS)
        return replace(
            seen,
            judgement=judgement,
            mismatch=mismatch(canary, stable, weight) if 0 < weight < 1 else 0.0,
            gate=self._gate(rollout.service) if judgement.verdict is Verdict.PASS else "",
        )

    def _gate(self, service: str) -> str:
        """Why the error-budget policy refuses the next step; "" when it does not."""
        try:
            decision = ask.ask(self._clients, service, ROLLOUT)
        except LabError as error:
            return str(error)
        return "" if decision.outcome == "allow" else f"the policy refuses it: {decision.reason}"

    def judgement(self, rollout: Rollout, by_slo: dict[str, list[Interval]]) -> Judgement:
        """The judge's verdict on the current step."""
        bounds = rollout.policy.bounds(slos_of(rollout.service), self._windows, rollout.step)
        return judge(by_slo, bounds, rollout.policy.limits)

    def _canary(self, rollout: Rollout) -> Canary:
        """The state of the canary's replicas."""
        service = names.CANARY_OF[rollout.service]
        programs = replicas.instances(self._clients.home, self._clients.ports, service)
        stable = replicas.instances(self._clients.home, self._clients.ports, rollout.service)
        states = probes.readiness_of([*programs, *stable])
        ready = not any(states[program.name].reason for program in programs)
        shared = all(states[program.name].reason for program in stable)  # then the canary is not the cause
        now = time.monotonic()
        self._unready_since = None if ready or shared else self._unready_since or now
        return Canary(
            version=" and ".join(sorted(self._versions(service))),
            ready=ready,
            unready_seconds=0.0 if self._unready_since is None else now - self._unready_since,
            restarts=restarts(self._clients, rollout.service) - rollout.restarts,
        )


def restarts(clients: LabClients, service: str) -> int:
    """The restarts of the canary's replicas that nobody asked for, since the start of the lab."""
    programs = replicas.instances(clients.home, clients.ports, names.CANARY_OF[service])
    return sum(supervision.unplanned_starts(clients.home, program.name) for program in programs)


def firing_pages(clients: LabClients, services: Collection[str]) -> tuple[str, ...]:
    """The names of the services' alerts that page now; none while the pager is away, whose own alerts say so."""
    try:
        pages = clients.pager.pages(only_open=True)
    except LabError:
        return ()
    return tuple(page.alertname for page in pages if page.service in services and page.severity == PAGE)
