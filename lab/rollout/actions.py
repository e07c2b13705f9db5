"""What a person does to a rollout: start, hold, resume and abort it. Each writes the journal; the controller acts."""

from __future__ import annotations

import secrets
import time

import msgspec

from lab import names
from lab.change import ask
from lab.change.policy import ROLLOUT
from lab.clients.times import compact, utc_text
from lab.control.lab_clients import LabClients
from lab.errors import LabError, NotRunning, UsageError
from lab.paths import Home
from lab.rollout import journal, record
from lab.rollout.controller import VERSION, restarts
from lab.rollout.decide import count_again, move
from lab.rollout.journal import Rollout
from lab.rollout.policy import Policy
from lab.rollout.record import RolloutRecord
from lab.slo.catalogue import LAB, load_windows, slos_of
from lab.slo.events import request_events
from lab.slo.model import PAGE
from lab.stack import configs
from lab.stack.processes.supervision import Supervisor

PROGRAM = "rollout"
START_SECONDS = 15.0


def start(clients: LabClients, service: str, version: str, policy: Policy, reason: str = "") -> Rollout:
    """Begin the rollout of `version`, and start the controller.

    Raises UsageError, having changed nothing, for a service that has no canary, a version that the service does not
    know, a rollout that runs already, a canary that has clients, an SLO that cannot be compared, or a budget whose
    policy refuses it.
    """
    if service not in names.CANARY_OF:
        raise UsageError(f"{service!r} has no canary; {', '.join(names.CANARY_OF)} has")
    canary = names.CANARY_OF[service]
    for slo in slos_of(service):
        request_events(slo)
    with journal.pushing(clients.home), journal.locked(clients.home):
        journal.require_none(clients.home, "`fleetops rollout abort` ends it")
        stable = str(configs.current(clients.home, service).settings.get(VERSION, names.VERSION_STABLE))
        if version == stable:
            raise UsageError(f"{service} runs {version} already")
        program = configs.instances(clients.home, clients.ports, canary)[0]
        if refusal := configs.refusal(program, {**configs.current(clients.home, canary).settings, VERSION: version}):
            raise UsageError(f"{canary} would not start: {refusal}")
        if weight := clients.gateway.canary_weight():
            raise UsageError(f"the canary has {weight:g} % of the clients; set `fleetops canary weight 0` first")
        ask.require(clients, service, ROLLOUT)  # last, so that the audit log has no refusal of an impossible rollout
        now = time.time()
        rollout = Rollout(
            id=f"{service}-{version}-{compact(utc_text(now))}",
            service=service, version=version, previous=stable,
            stable_config=configs.current(clients.home, service).version,
            canary_config=configs.current(clients.home, canary).version,
            restarts=restarts(clients, service), salt=secrets.token_hex(8), policy=policy,
            phase="stepping", by=clients.trail.actor, reason=reason or f"rollout of {service} {version}",
        )  # fmt: skip
        rollout = move(rollout, "stepping", now, clients.trail.actor, rollout.reason, step=0)
        with clients.trail.action("rollout start", service, new=version, reason=reason) as change:
            change.old = stable
            journal.save(clients.home, rollout)
    ensure_controller(clients.home)
    return rollout


def hold(clients: LabClients, reason: str = "") -> Rollout:
    """Keep the weight until somebody resumes or aborts; harm still aborts."""
    return _change(clients, "rollout hold", reason, ("stepping",), "held")


def resume(clients: LabClients, reason: str = "") -> Rollout:
    """Go on with the step, from its beginning. A weight that was set by hand is set back.

    Raises UsageError when the rollout is not held, and when the error-budget policy refuses it.
    """
    if (rollout := current(clients)).phase == "held":
        ask.require(clients, rollout.service, ROLLOUT)
    return _change(clients, "rollout resume", reason, ("held",), "stepping")


def abort(clients: LabClients, reason: str = "") -> Rollout:
    """Send all clients back to stable, and end the rollout."""
    return _change(clients, "rollout abort", reason, ("stepping", "held", "promoting"), "aborting")


def retry(clients: LabClients, reason: str = "") -> Rollout:
    """Begin the last rollout again, with the same policy and a new salt. Raises UsageError as `start` does."""
    last = current(clients)
    return start(clients, last.service, last.version, last.policy, reason or f"retry of {last.id}")


def recorded(clients: LabClients) -> RolloutRecord:
    """The record of the last rollout. Raises UsageError while it runs, LabError when its counts are gone."""
    rollout, windows = current(clients), load_windows(LAB)
    bounds = {
        step: rollout.policy.bounds(slos_of(rollout.service), windows, step)
        for step in range(len(rollout.policy.steps_percent))
    }
    start_at, end_at = rollout.events[0].at, rollout.events[-1].at
    pages = [
        page.alertname
        for page in clients.pager.pages()
        if page.severity == PAGE and start_at <= page.received_at <= end_at
    ]
    return record.build(rollout, clients.prometheus, bounds, sorted(set(pages)))


def current(clients: LabClients) -> Rollout:
    """The current or the last rollout. Raises UsageError before the first."""
    rollout = journal.load(clients.home)
    if rollout is None:
        raise UsageError("no rollout yet; `fleetops rollout start feed --to VERSION` begins one")
    return rollout


def _change(
    clients: LabClients, action: str, reason: str, phases: tuple[journal.Phase, ...], to: journal.Phase
) -> Rollout:
    with journal.locked(clients.home):
        rollout = current(clients)
        if rollout.phase not in phases:
            raise UsageError(f"the rollout of {rollout.service} {rollout.version} is {rollout.phase}")
        actor = clients.trail.actor
        with clients.trail.action(action, rollout.service, new=to, reason=reason) as change:
            change.old = rollout.phase
            moved = move(rollout, to, time.time(), actor, reason or f"{action.partition(' ')[2]} by {actor}")
            if action == "rollout resume":
                moved = count_again(
                    msgspec.structs.replace(moved, applied_percent=clients.gateway.canary_weight()), moved.reason
                )
            journal.save(clients.home, moved)
    ensure_controller(clients.home)
    return moved


def ensure_controller(home: Home) -> None:
    """Have a controller run if a rollout is under way. Raises LabError when it does not start, NotRunning."""
    rollout = journal.load(home)
    if rollout is None or rollout.is_over:
        return
    end = time.monotonic() + START_SECONDS
    while not journal.is_controlled(home):
        if time.monotonic() > end:
            raise LabError(f"the rollout controller does not start; see `fleetops logs {PROGRAM}`")
        try:
            Supervisor(home).start(PROGRAM, wait=False)
        except NotRunning:
            raise
        except LabError:
            pass  # it is just ending; the next attempt starts it
        time.sleep(0.2)
