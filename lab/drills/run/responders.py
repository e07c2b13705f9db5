"""Responders: the autopilot, which executes the runbook, a person, a program, nobody, and one who makes a mistake."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from lab.clients.documents import Page
from lab.drills.run.incident import POLL_SECONDS, Incident
from lab.drills.runbook.execute import Ran, hand_over, run_command
from lab.drills.runbook.parser import Branch, find
from lab.drills.schema.record import Evidence, RunbookStep, Step
from lab.drills.spec.drill import Drill
from lab.errors import UsageError
from lab.paths import RUNBOOKS

AUTOPILOT = "autopilot"
WRONG = "wrong-responder"
COMMAND = "command-responder"
PEEK = "peek-responder"
PEEK_SECONDS = 180.0
BAD_REQUEST = 2
HUMAN_SECONDS = 1800.0

Responder = Callable[[Incident], None]


def autopilot(incident: Incident) -> None:
    """Acknowledge the page, open its runbook section and walk the branches; it knows nothing but the page."""
    if incident.page is None:
        return
    _ack(incident, AUTOPILOT)
    section = find(RUNBOOKS, incident.page.runbook_url)
    for branch in section.branches():
        if not _all_pass(incident, branch, "check", branch.check):
            continue
        title = f"{branch.number}. {branch.title}"
        output = incident.runbook[-1].output.splitlines()
        pointer = Evidence(pointer=f"/runbook/{len(incident.runbook) - 1}")
        incident.note("diagnosis", title, output[-1] if output else "", by=AUTOPILOT, evidence=pointer)
        incident.report(f"runbook branch applies: {title}")
        if _all_pass(incident, branch, "mitigate", branch.mitigate) and _all_pass(
            incident, branch, "validate", branch.validate
        ):
            incident.branch = title
            return
    incident.report("no runbook branch applied and validated")


def human(incident: Incident, deadline_seconds: float = HUMAN_SECONDS) -> None:
    """Print instructions for a person; wait until the page is acknowledged and resolved, or for the deadline."""
    page = incident.page
    if page is None:
        return
    incident.echo("")
    incident.echo(f"  You are on call and have been paged: {page.alertname}")
    incident.echo(f"  {page.summary}")
    incident.echo(f"  Ack:       fleetops page ack {page.id}")
    incident.echo(f"  Runbook:   {page.runbook_url}")
    incident.echo(
        f"  Diagnose:  fleetops incident diagnose {page.id} --component C --class T   (only the first counts)"
    )
    incident.echo("  Stuck:     fleetops incident hint   (it costs points)")
    incident.echo("  Work in another terminal (the same FLEETOPS_HOME and FLEETOPS_PORT_BASE); Ctrl-C here gives up.")
    incident.echo("")
    acked, end, printed_at = False, time.monotonic() + deadline_seconds, 0.0
    while time.monotonic() < end:
        page = incident.refresh_page() or page
        if page.acked_at and not acked:
            acked = True
            incident.report(f"acknowledged by {page.acked_by}")
        if acked and page.resolved:
            return
        if time.monotonic() - printed_at > 10:
            printed_at = time.monotonic()
            state = "resolved" if page.resolved else "firing"
            ack = "acknowledged" if acked else "unacknowledged"
            incident.report(f"{page.severity} {page.id} {state}, {ack}{_sli_status(incident)}")
        time.sleep(POLL_SECONDS)


def _sli_status(incident: Incident) -> str:
    if incident.slo is None:
        return ""
    ratio = incident.clients.prometheus.number(incident.sli_query())
    return "; no data" if ratio is None else f"; {ratio:.1%} of {incident.slo.sloth_id}'s requests bad"


def nobody(incident: Incident) -> None:
    """Leave the page unacknowledged."""
    if incident.page is not None:
        incident.report("nobody acknowledges the page")


def wrong(incident: Incident) -> None:
    """Acknowledge the page and run the drill's decoy: commands that are plausible but a mistake."""
    if incident.page is not None:
        _ack(incident, WRONG)
    incident.report(incident.drill.decoy.why)
    for command in incident.drill.decoy.commands:
        _record(incident, run_command(command, WRONG), "wrong", "mitigate")


def command(incident: Incident) -> None:
    """Run a program with the page as JSON on its standard input and `fleetops` on its PATH, until it ends."""
    if incident.page is not None:
        _run_program(incident, incident.page, incident.program, COMMAND, HUMAN_SECONDS)


def peek(incident: Incident) -> None:
    """Run the program that searches the machine for the drill's name (lab/drills/run/peek.py)."""
    if incident.page is not None:
        _run_program(incident, incident.page, (sys.executable, "-m", "lab.drills.run.peek"), PEEK, PEEK_SECONDS)


def _run_program(incident: Incident, page: Page, program: tuple[str, ...], actor: str, seconds: float) -> None:
    incident.report(f"page {page.id} goes to {program[0]}")
    status = hand_over(program, page, actor, seconds, lambda line: incident.report(f"  | {line}"), incident.variables)
    incident.report(f"{program[0]} ended with exit status {status}")


RESPONDERS: dict[str, Responder] = {
    "autopilot": autopilot,
    "human": human,
    "command": command,
    "none": nobody,
    "wrong": wrong,
    "peek": peek,
}
# Programs that get the page: their drills are blind, so that they cannot look up the fault.
PROGRAMS = ("command", "peek")
# Controls of the grading: their drills must fail. A campaign runs the first two on every drill.
GRADERS = ("none", "wrong")
CONTROLS = (*GRADERS, "peek")


def drill_for(drill: Drill, responder: str) -> Drill:
    """The drill, allowing the further alerts that this responder causes by not mitigating or by a mistake."""
    if responder not in GRADERS:
        return drill
    mistake = drill.decoy.may if responder == "wrong" else {}
    return replace(drill, expect=drill.expect.allowing(drill.expect.unmitigated, mistake))


def check_program(responder: str, program: tuple[str, ...]) -> None:
    """Raise UsageError when the program that the responder needs is missing, or one is given that it does not run."""
    if responder != "command":
        if program:
            raise UsageError(f"the responder {responder} runs no program; --responder command does")
        return
    if not program:
        raise UsageError("the responder command needs a program: fleetops drill run ID --responder command -- PROGRAM")
    if shutil.which(program[0]) is None:
        raise UsageError(f"no executable program {program[0]!r} on PATH")


def _ack(incident: Incident, by: str) -> None:
    if incident.page is not None:
        incident.page, _ = incident.clients.pager.ack(incident.page.id, by)
        incident.report(f"page {incident.page.id} acknowledged by {incident.page.acked_by}")


def _all_pass(incident: Incident, branch: Branch, step: Step, commands: tuple[str, ...]) -> bool:
    for command in commands:
        ran = run_command(command, AUTOPILOT)
        _record(incident, ran, f"{branch.number}. {branch.title}", step)
        if ran.exit_status != 0:
            return False
    return True


def _record(incident: Incident, ran: Ran, branch: str, step: Step) -> None:
    incident.runbook.append(
        RunbookStep(
            branch=branch,
            step=step,
            command=ran.command,
            exit_status=ran.exit_status,
            output=ran.output,
            t_seconds=round(incident.since_t0(ran.started_at), 3),
            duration_seconds=round(ran.duration_seconds, 3),
        )
    )
    last = ran.output.splitlines()[-1] if ran.output else ""
    incident.report(f"{step:<8} $ {ran.command}  → {ran.exit_status}" + (f"  {last[:90]}" if ran.exit_status else ""))
