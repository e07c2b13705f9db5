"""Runs one drill: the phases in order, and the fault undone however it ends."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from lab.control.desk import Desk
from lab.drills import promise, record
from lab.drills.incident import POLL_SECONDS, Incident, Say
from lab.drills.inputs import hashes
from lab.drills.journal import exclusive, undo, undo_left_over, undoing
from lab.drills.measure import GOOD_SECONDS
from lab.drills.prediction import predict
from lab.drills.responders import HUMAN_SECONDS, RESPONDERS
from lab.drills.spec import Drill
from lab.drills.steady import remembered, steady_state
from lab.errors import NotRunning, UsageError
from lab.oncall.times import epoch_seconds

# The page is measured, not missed, when it comes this much too late.
LATE_SECONDS = 20.0
CALM_SECONDS = 60.0


def run_drill(drill: Drill, responder: str, desk: Desk, echo: Say) -> dict[str, Any]:
    """Run `drill` and return its record. Raises LabError when the lab is not running or cannot get steady."""
    if responder not in RESPONDERS:
        raise UsageError(f"no responder {responder!r}; the responders are {', '.join(RESPONDERS)}")
    _require_running(desk)
    with exclusive(desk.home), _stoppable():
        for line in undo(desk):
            echo(f"put back what an earlier drill left: {line}")
        incident = _open(drill, responder, desk, echo)
        steady_state(incident)
        with undoing(desk, drill.id):
            for phase in PHASES:
                phase(incident)
            incident.ended_at = time.time()
        clean_up(incident)
        return record.build(incident)


def inject(incident: Incident) -> None:
    """Break it."""
    incident.t0 = time.time()
    incident.inputs = hashes(incident)
    incident.say(f"inject: {incident.drill.title}")
    if incident.prediction is None:
        incident.note("inject", "Nothing: this is the control")
    else:
        incident.prediction = incident.prediction.knowing(remembered(incident))
    incident.drill.fault.inject(incident.desk, incident.say)


def detect(incident: Incident) -> None:
    """Wait for a page: the one that must come, or, in a control, any."""
    if incident.prediction is None:
        limit = incident.drill.limits.hold_seconds
        incident.say(f"control: watching for {limit:g} s; nobody may be paged")
    else:
        limit = incident.prediction.latest_seconds + LATE_SECONDS - incident.since_t0()
        incident.say(
            f"waiting for {incident.prediction.alert}: predicted at T+{incident.prediction.detection_seconds:.1f} s,"
            f" T+{incident.prediction.latest_seconds:.1f} s at the latest"
        )
    end = time.monotonic() + limit
    while time.monotonic() < end:
        pages = incident.pages()
        expected = [page for page in pages if page["alertname"] == incident.drill.expect.page]
        if expected or (pages and incident.drill.expect.page is None):
            incident.page = (expected or pages)[0]
            incident.say(f"page {incident.page['id']}: {incident.page['alertname']}, {incident.page['summary']}")
            return
        time.sleep(POLL_SECONDS)
    incident.say("no page")


def respond(incident: Incident) -> None:
    """Let the responder work."""
    RESPONDERS[incident.responder](incident)
    incident.responded_until = time.time()


def recover(incident: Incident) -> None:
    """Wait until the SLI is good and the alert has resolved, each within its limit."""
    if incident.page is None or incident.slo is None:
        return
    limits = incident.drill.limits
    allowed = HUMAN_SECONDS if incident.responder == "human" else limits.respond_seconds
    end = epoch_seconds(incident.page["received_at"]) + allowed
    incident.say(f"waiting for every SLI of {incident.slo.service} to be good")
    if not _until(lambda: not _bad_slis(incident), end):
        incident.say(f"still bad {allowed:g} s after the page: {', '.join(_bad_slis(incident))}")
        return
    incident.say(f"every SLI of {incident.slo.service} is good")
    if _until(
        lambda: (incident.refresh_page() or {}).get("status") == "resolved", time.time() + limits.recover_seconds
    ):
        incident.say("alert resolved")


def hold(incident: Incident) -> None:
    """It must stay good."""
    page = incident.refresh_page()
    if page is None or incident.slo is None or page["status"] != "resolved":
        return
    seconds = incident.drill.limits.hold_seconds
    incident.say(f"holding for {seconds:g} s")
    fired_again = _until(lambda: len(incident.pages()) > 1 or _firing(incident), time.time() + seconds)
    incident.held = not fired_again
    incident.note(
        "held" if incident.held else "firing",
        f"Stayed good for {seconds:g} s" if incident.held else "Did not stay good",
        evidence={"query": incident.sli_query()},
    )


def clean_up(incident: Incident) -> None:
    """The state is as it was (the journal did that); wait until the alert lets go, so that nobody keeps a page."""
    incident.note("cleanup", "Control state as it was before the drill")
    incident.say("clean up")
    if incident.page is not None and not incident.held:
        _until(lambda: not _firing(incident), time.time() + CALM_SECONDS)


PHASES: tuple[Callable[[Incident], None], ...] = (inject, detect, respond, recover, hold)


def _open(drill: Drill, responder: str, desk: Desk, echo: Say) -> Incident:
    windows = promise.windows()
    slo = promise.find(drill.effect.slo)[0] if drill.effect else None
    prediction = predict(drill, slo, windows, promise.pipeline(desk))
    return Incident(drill, desk, prediction, slo, windows, responder, echo)


def _require_running(desk: Desk) -> None:
    try:
        desk.pager.pages(only_open=True)
        desk.gateway.state()
        desk.prometheus.version()
    except NotRunning as error:
        raise NotRunning(f"the lab is not running ({error}); start it with 'fleetops up --detach'") from error


def _bad_slis(incident: Incident) -> list[str]:
    """The SLOs of the service at stake that were not inside their objective all of the last seconds.

    All of them, because latency counts successful requests only: a service that fails everything looks fast.
    """
    bad = []
    for slo in incident.slos():
        good = f"max_over_time({incident.sli_query(slo)}[{GOOD_SECONDS}s]) <= {slo.budget_ratio:g}"
        if not incident.desk.prometheus.instant(good):
            bad.append(slo.sloth_id)
    return bad


def _firing(incident: Incident) -> bool:
    query = f'ALERTS{{alertname="{incident.drill.expect.page}",alertstate="firing",severity="page"}}'
    return bool(incident.desk.prometheus.instant(query))


def _until(done: Callable[[], bool], end: float) -> bool:
    """Whether `done` came true before the instant `end` (epoch seconds)."""
    while True:
        if done():
            return True
        if time.time() >= end:
            return False
        time.sleep(POLL_SECONDS)


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM and SIGHUP end the drill as Ctrl-C does: with the fault undone.

    SIGINT too is taken by name: a shell starts background jobs with it ignored.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


__all__ = ["run_drill", "undo_left_over"]
