"""Runs one drill: its phases in order, and the undo of its faults however it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing

from lab.clients.times import epoch_seconds, utc_text
from lab.control.lab_clients import LabClients
from lab.drills.evidence import record
from lab.drills.evidence.collect import GOOD_SECONDS
from lab.drills.evidence.provenance import hashes
from lab.drills.evidence.score_record import add_score
from lab.drills.faults import FaultContext, Report
from lab.drills.pipeline import read_pipeline
from lab.drills.run.blind import every_fault
from lab.drills.run.hints import hint_server
from lab.drills.run.incident import POLL_SECONDS, Incident
from lab.drills.run.responders import CONTROLS, HUMAN_SECONDS, PROGRAMS, RESPONDERS, check_program, drill_for
from lab.drills.run.steady_state import steady_state
from lab.drills.run.stoppable import stoppable
from lab.drills.schema.figures import PEOPLE
from lab.drills.schema.record import Evidence, Record
from lab.drills.spec.drill import Drill, catalogue
from lab.drills.spec.prediction import predict
from lab.drills.undo.journal import RANDOM, exclusive, undo, undoing
from lab.drills.undo.watchdog import guarded
from lab.errors import NotRunning, UsageError
from lab.slo.catalogue import LAB, find_slo, load_windows
from lab.stack import clean_slate, configs
from lab.telemetry.config import SETTINGS

# How long to wait for a late page, so that its delay is measured.
LATE_SECONDS = 20.0
CLEAN_UP_SECONDS = 60.0
# Time for the responder's commands and restarts, in addition to the limits of all phases.
EXPIRY_MARGIN_SECONDS = 120.0


def run_drill(
    drill: Drill,
    responder: str,
    clients: LabClients,
    echo: Report,
    *,
    program: tuple[str, ...] = (),
    variables: tuple[str, ...] = (),
    blind: bool = False,
    keep_history: bool = False,
) -> Record:
    """Run `drill` and return its record.

    The responder `command` runs `program` with these `variables` of the environment. With `blind`, the fault is not
    revealed before the verdict; it is never revealed to a program. Prometheus and Alertmanager start without history,
    so that only this incident raises alerts; with `keep_history`, earlier incidents may make alerts fire sooner.

    Raises UsageError for an unknown responder or program, NotRunning when the lab is not running, LabError when it does
    not reach a steady state, Void when the machine is too busy.
    """
    blind = blind or responder in PROGRAMS
    if responder not in RESPONDERS:
        raise UsageError(f"no responder {responder!r}; must be one of {', '.join(RESPONDERS)}")
    check_program(responder, program)
    _require_running(clients)
    clients.retry_reads()
    with exclusive(clients.home), stoppable(clients.home, RANDOM if blind else drill.id):
        for line in undo(clients):
            echo(f"undid an earlier drill: {line}")
        require_nothing_staged(clients)
        if not keep_history:
            clean_slate.require_no_silences(clients.home, clients.ports)
            seconds = clean_slate.clean(clients.home, clients.ports, clients.pager)
            echo(f"clean slate: history deleted, every error budget full; monitoring resumed after {seconds:.1f} s")
        incident = _open(drill, responder, clients, echo)
        incident.program, incident.variables, incident.blind = program, variables, blind
        incident.kept_history = keep_history
        expires_at = time.time() + (longest_of_all(incident) if blind else longest_seconds(incident))
        faults = every_fault() if blind else drill.all_faults()
        with ExitStack() as ending:
            ending.enter_context(guarded(clients.home, clients.ports, expires_at))
            ending.enter_context(undoing(clients, drill.id, faults, expires_at, blind=blind))
            ending.enter_context(closing(incident.context))
            if blind:
                ending.enter_context(hint_server(clients, drill, utc_text(incident.started_at)))
            for phase in PHASES:
                phase(incident)
            incident.ended_at = time.time()
        clean_up(incident)
        return add_score(incident, record.build(incident))


def steady(incident: Incident) -> None:
    """Set the drill's load, and wait for a steady state."""
    for load in incident.drill.load:
        load.inject(incident.context)
    steady_state(incident)


def inject(incident: Incident) -> None:
    """Inject the faults."""
    incident.inputs = hashes(incident)  # before t0, as reading the runbooks takes up to a second
    incident.t0 = time.time()
    incident.report("fault injected" if incident.blind else f"inject: {incident.drill.title}")
    if incident.prediction is None:
        incident.note("inject", "No fault: this is the control")
    for fault in incident.drill.faults:
        fault.inject(incident.context)


def detect(incident: Incident) -> None:
    """Wait for the expected alert, or in a control for any page."""
    if incident.prediction is None:
        limit = incident.drill.limits.hold_seconds
        incident.report_unless_blind(f"control: waiting {limit:g} s; nobody may be paged")
    else:
        limit = incident.prediction.latest_seconds + LATE_SECONDS - incident.since_t0()
        incident.report_unless_blind(
            f"waiting for {incident.prediction.alert}: predicted at T+{incident.prediction.detection_seconds:.1f} s,"
            f" T+{incident.prediction.latest_seconds:.1f} s at the latest"
        )
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if expected := incident.expected():
            page = incident.page = expected[0]
            incident.report(f"{page.severity} {page.id}: {page.alertname}, {page.summary}")
            return
        time.sleep(POLL_SECONDS)
    incident.report(f"no {incident.drill.expect.severity}")


def respond(incident: Incident) -> None:
    """Let the responder work."""
    RESPONDERS[incident.responder](incident)
    incident.responded_until = time.time()


def recover(incident: Incident) -> None:
    """Wait until the SLIs at stake (if any) are good and the alert has resolved, each within its limit."""
    if incident.page is None or incident.drill.is_control:
        return
    end = epoch_seconds(incident.page.received_at) + allowed_seconds(incident)
    if incident.slo is not None:
        services = " and ".join(incident.drill.services)
        incident.report(f"waiting for every SLI of {services} to be good")
        if not _until(lambda: not _bad_slis(incident), end):
            limit, incident.overdue = allowed_seconds(incident), True
            incident.report(f"still bad {limit:g} s after the page: {', '.join(_bad_slis(incident))}")
            return
        incident.report(f"every SLI of {services} is good")
    if incident.drill.restored is not None:
        incident.report_unless_blind(f"waiting until {incident.drill.restored.means}")
        if not _until(incident.restored, end):
            incident.overdue = True
            incident.report_unless_blind(f"not restored {allowed_seconds(incident):g} s after the page")
            return
    if incident.slo is not None:
        end = time.time()
    # If only the alert shows the recovery, a control of the grading has failed at the limit: no further wait is needed.
    only_alert = incident.slo is None and incident.drill.restored is None
    extra_seconds = 0 if only_alert and incident.responder in CONTROLS else incident.drill.limits.recover_seconds
    if _until(lambda: _resolved(incident), end + extra_seconds):
        incident.report("alert resolved")


def hold(incident: Incident) -> None:
    """Check that the recovery holds."""
    if incident.drill.is_control or incident.overdue or not _resolved(incident):
        return
    seconds = incident.drill.limits.hold_seconds
    incident.report(f"holding for {seconds:g} s")
    notices = len(incident.expected())
    fired_again = _until(lambda: len(incident.expected()) > notices or not _resolved(incident), time.time() + seconds)
    incident.held = not fired_again
    incident.note(
        "held" if incident.held else "firing",
        f"Recovery held for {seconds:g} s" if incident.held else "Recovery did not hold",
        evidence=Evidence(query=incident.sli_query()) if incident.slo else Evidence(pointer="/pages"),
    )


def clean_up(incident: Incident) -> None:
    """The journal has undone everything; wait until the alert resolves, so that no page stays open.

    A control of the grading does not wait: its alert still fires, and the next drill's clean slate closes its page.
    """
    incident.note("cleanup", "Faults undone, control state restored")
    incident.report("clean-up")
    if incident.page is not None and not incident.held and incident.responder not in CONTROLS:
        _until(lambda: _resolved(incident), time.time() + CLEAN_UP_SECONDS)


PHASES: tuple[Callable[[Incident], None], ...] = (steady, inject, detect, respond, recover, hold)


def allowed_seconds(incident: Incident) -> float:
    """How long after the page the SLI may stay bad, in seconds.

    The drill's limit; for a person or a program, counted from the end of its work, which has its own deadline.
    """
    limit = incident.drill.limits.respond_seconds
    if incident.responder not in PEOPLE:
        return limit
    if incident.responded_until is None or incident.page is None:
        return HUMAN_SECONDS + limit
    return incident.responded_until - epoch_seconds(incident.page.received_at) + limit


def longest_of_all(incident: Incident) -> float:
    """`longest_seconds` of the longest drill in the catalogue, which reveals nothing about this one."""
    clients, responder = incident.clients, incident.responder
    return max(longest_seconds(_open(drill, responder, clients, incident.echo)) for drill in catalogue())


def longest_seconds(incident: Incident) -> float:
    """The duration of the drill if every phase reaches its limit; its faults expire after that."""
    limits, prediction = incident.drill.limits, incident.prediction
    detection = prediction.latest_seconds + LATE_SECONDS if prediction else 0.0
    phases = limits.steady_seconds + detection + 2 * limits.recover_seconds + limits.hold_seconds
    return phases + allowed_seconds(incident) + EXPIRY_MARGIN_SECONDS


def _open(drill: Drill, responder: str, clients: LabClients, echo: Report) -> Incident:
    drill, windows = drill_for(drill, responder), load_windows(LAB)
    slo = find_slo(drill.effect.slo) if drill.effect else None
    prediction = predict(drill, slo, windows, read_pipeline(clients))
    incident = Incident(drill, clients, prediction, slo, windows, responder, echo, FaultContext(clients))
    incident.context.report = incident.report_unless_blind
    return incident


def _require_running(clients: LabClients) -> None:
    try:
        clients.pager.pages(only_open=True)
        clients.gateway.state()
    except NotRunning as error:
        raise NotRunning(f"the lab is not running ({error}); start it with 'fleetops up --detach'") from error


def require_nothing_staged(clients: LabClients) -> None:
    """Raise UsageError while a configuration is staged: the clean slate would delete the counts that judge it."""
    for service in SETTINGS:
        for replica, version in configs.staged(clients.home, service).items():
            raise UsageError(
                f"{replica} has version {version.version} of {service}'s configuration staged; wait for its push,"
                f" or end it with `fleetops config rollback {service}`"
            )


def _bad_slis(incident: Incident) -> list[str]:
    """The SLOs of the services at stake that missed their objective within the last GOOD_SECONDS.

    All SLOs count, because latency covers successful requests only: a service that fails everything looks fast.
    """
    bad = []
    for slo in incident.slos():
        good = f"max_over_time({incident.sli_query(slo)}[{GOOD_SECONDS}s]) <= {slo.budget_ratio:g}"
        if not incident.clients.prometheus.instant(good):
            bad.append(slo.sloth_id)
    return bad


def _resolved(incident: Incident) -> bool:
    """Whether the expected alert was delivered and every notice of it has resolved."""
    notices = incident.expected()
    incident.refresh_page()
    return bool(notices) and all(notice.resolved for notice in notices)


def _until(done: Callable[[], bool], end: float) -> bool:
    """Poll `done` until it returns True or `end` (epoch seconds) has passed; returns whether it did."""
    while True:
        if done():
            return True
        if time.time() >= end:
            return False
        time.sleep(POLL_SECONDS)
