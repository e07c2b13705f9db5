"""`fleetops up`, `down`, `status` and `doctor`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from lab.cli import text
from lab.cli.shared import clients
from lab.errors import LabError
from lab.names import LOGIN_USER
from lab.paths import home, ports

if TYPE_CHECKING:
    from lab.control.spool import Backlog
    from lab.stack.health.doctor import Finding
    from lab.stack.health.status import Status
    from lab.stack.lifecycle import Start

LIVE_SECONDS = 5.0
QUIET_SECONDS = 60.0
LIVE_CHARACTERS = 118


def _login() -> str:
    return f"user {LOGIN_USER}, password in {home().token}"


class _Progress:
    """Prints progress lines: seconds since the start, part, text."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def __call__(self, part: str, message: str) -> None:
        click.echo(f"{time.monotonic() - self.began:6.1f} s  {part:<9} {message}", err=True)


@click.command()
@click.option("--detach", is_flag=True, help="Return when the lab is ready; `fleetops down` stops it.")
def up(detach: bool) -> None:
    """Start the lab, and run until Ctrl-C.

    When this process ends, however it ends, everything it started stops; with --detach, the lab keeps running. If the
    lab is running already, print its URL; exit status 0.

    \b
    Example: fleetops up --detach && fleetops status
    """
    from lab.stack import lifecycle, shutdown
    from lab.stack.console_key import console_url
    from lab.stack.processes.interrupt import Interrupt

    interrupt = Interrupt()
    interrupt.install()
    began = time.time()
    start = lifecycle.Start(home(), ports(), _Progress(), not detach, _before_start, interrupt)
    try:
        run = start.run()
        with interrupt:
            _tidy(began)
            click.echo(f"login of prometheus and alertmanager: {_login()}", err=True)
            click.echo(f"ready in {run.ready_seconds:.1f} s: {console_url(run.url, home())}")
            if not detach:
                _stay(start)
    except lifecycle.AlreadyRunning as running:
        click.echo(str(running))
    except KeyboardInterrupt:
        if not start.ready:
            raise
        click.echo("stopping")
        shutdown.stop(start.home)
        click.echo(f"stopped; the data is in {start.home.data}")
        if detach:
            raise


def _before_start() -> None:
    """Undo the changes of a killed drill that would keep programs from starting."""
    from lab.drills.undo.recovery import before_start

    if not home().token.exists():  # no lab was ever started here
        return
    for line in before_start(clients()):
        click.echo(line, err=True)


def _tidy(began: float) -> None:
    """Undo a killed drill, close the open pages of the previous run, and continue a rollout that is under way."""
    from lab.drills.undo.recovery import tidy
    from lab.rollout.actions import ensure_controller

    try:
        for line in tidy(clients(), began):
            click.echo(line, err=True)
        ensure_controller(home())
    except LabError as error:  # the lab is running, so this is not fatal
        click.echo(f"fleetops: could not clean up after the previous run: {error}", err=True)


def _stay(start: Start) -> None:
    """Show a live status until `fleetops down` or KeyboardInterrupt. LabError when supervisord exits unexpectedly."""
    from lab.stack import shutdown, state
    from lab.stack.health import status

    live = _LiveStatus()
    try:
        while start.alive(LIVE_SECONDS):
            live.show(status.gather(start.home, start.ports))
    finally:
        live.end()
    if not state.unclean(start.home):
        click.echo("stopped by `fleetops down`")
        return
    shutdown.stop(start.home)
    raise LabError(f"supervisord exited unexpectedly, and the lab was stopped; see {start.home.logs}/supervisord.log")


class _LiveStatus:
    """One line that is rewritten on a terminal; elsewhere, a line when the state changes, or once a minute."""

    def __init__(self) -> None:
        self.terminal = text.on_terminal()
        self.state = ""
        self.printed_at = 0.0

    def show(self, status: Status) -> None:
        """Show `status`."""
        state = "ready" if status.ready else "not ready: " + (status.waiting_for or ["the lab is not running"])[0]
        state += f" · {status.open_pages or 'no'} open pages"
        if status.too_busy:
            state += " · " + status.too_busy.partition(";")[0]
        if status.silences:
            state += f" · {len(status.silences)} SILENCED, see `fleetops status`"
        rate = "" if status.requests_per_second is None else f" · {status.requests_per_second:.0f} requests/s"
        line = f"{state}{rate} · {text.mib(status.total_rss_bytes)} · Ctrl-C stops everything"
        if self.terminal:
            click.echo(f"\r\x1b[K{line[:LIVE_CHARACTERS]}", nl=False)
        elif state != self.state or time.monotonic() - self.printed_at > QUIET_SECONDS:
            click.echo(line)
            self.printed_at = time.monotonic()
        self.state = state

    def end(self) -> None:
        """End the line."""
        if self.terminal:
            click.echo()


@click.command()
def down() -> None:
    """Stop the lab and keep its data.

    Also ends processes left by a run that was not shut down.

    \b
    Example: fleetops down
    """
    from lab.stack import shutdown

    lab_home = home()
    stopped = shutdown.down(lab_home)
    click.echo(f"stopped; the data is in {lab_home.data}" if stopped else f"nothing is running in {lab_home.path}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object: ready, urls, processes, total_rss_bytes.")
def status(as_json: bool) -> None:
    """Show the lab's processes and whether it is ready.

    Exit status 0 when the lab is ready, 1 when it is not.

    \b
    Example: fleetops status --json
    """
    from lab.control.spool import Spool
    from lab.stack.health.status import gather

    current, audit = gather(home(), ports()), Spool.of(home()).backlog()
    if as_json:
        derived = {"ready": current.ready, "total_rss_bytes": current.total_rss_bytes}
        text.print_json({**derived, **vars(current), "audit": audit})
    else:
        _print_status(current, audit)
    if not current.ready:
        click.get_current_context().exit(1)


def _print_status(status: Status, audit: Backlog) -> None:
    facts = []
    if status.running:
        _print_processes(status)
        click.echo()
        urls = {**status.urls, "console": status.console_url}
        facts += [(name, urls[name]) for name in status.urls]
        facts.append(("login", f"{_login()} (prometheus and alertmanager)"))
    if status.open_pages is not None:
        facts.append(("open pages", str(status.open_pages)))
    if status.too_busy:
        facts.append(("TOO BUSY", status.too_busy))
    facts += [("SILENCED", f"{silence}: matching alerts page nobody") for silence in status.silences or ()]
    facts += [("note", note) for note in status.notes]
    if not audit.clear:
        facts.append(("audit log", str(audit)))
    if facts:
        text.fields(facts)
        click.echo()
    if not status.running:
        click.echo("; ".join(["not running", *status.waiting_for, "`fleetops up` starts the lab"]))
    else:
        click.echo("ready" if status.ready else "not ready: " + "; ".join(status.waiting_for))


def _print_processes(status: Status) -> None:
    text.table(
        ("PROCESS", "STATE", "PID", "MEMORY", "RESTARTS"),
        [
            *(
                (row.name, row.state, str(row.pid or "-"), text.mib(row.rss_bytes), str(row.restarts or "-"))
                for row in status.processes
            ),
            ("total", "", "", text.mib(status.total_rss_bytes), ""),
        ],
        "",
        right=("PID", "MEMORY", "RESTARTS"),
    )


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object: ok, findings.")
@click.option("--fetch", is_flag=True, help="Fetch missing programs first.")
def doctor(as_json: bool, fetch: bool) -> None:
    """Check this machine for everything that the lab needs; undo the changes of a killed drill.

    Exit status 0 when all checks pass, 1 when one fails.

    \b
    Example: fleetops doctor --fetch
    """
    from lab.stack.health import doctor as stack_doctor
    from lab.stack.tools import binaries

    if fetch:
        binaries.ensure(lambda message: click.echo(message, err=True))
    findings = [*stack_doctor.examine(home(), ports()), *_leftovers()]
    ok = all(finding.ok for finding in findings)
    if as_json:
        text.print_json({"ok": ok, "findings": findings})
    else:
        text.table(
            ("", "CHECK", "FOUND"),
            [("ok" if finding.ok else "!!", finding.name, _found(finding)) for finding in findings],
            "",
        )
    if not ok:
        click.get_current_context().exit(1)


def _found(finding: Finding) -> str:
    return finding.found if finding.ok or not finding.fix else f"{finding.found} → {finding.fix}"


def _leftovers() -> list[Finding]:
    from lab.drills.undo.recovery import examine

    return examine(clients()) if home().token.exists() else []
