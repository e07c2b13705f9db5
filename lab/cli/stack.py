"""`fleetops up`, `down`, `status`, `logs` and `doctor`."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import click

from lab.cli.shared import clients
from lab.errors import LabError
from lab.names import LOGIN_USER
from lab.paths import home, ports

if TYPE_CHECKING:
    from lab.stack.health.doctor import Finding
    from lab.stack.health.status import Status
    from lab.stack.lifecycle import Start

LIVE_SECONDS = 5.0
QUIET_SECONDS = 60.0


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.0f} MiB"


def _login() -> str:
    return f"prometheus and alertmanager ask for a login: user {LOGIN_USER}, password in {home().token}"


class _Progress:
    """Progress lines: seconds since the start, which part, what."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def __call__(self, part: str, text: str) -> None:
        click.echo(f"{time.monotonic() - self.began:6.1f} s  {part:<9} {text}", err=True)


@click.command()
@click.option("--detach", is_flag=True, help="Return when everything is ready; `fleetops down` stops it.")
def up(detach: bool) -> None:
    """Start the lab, and stay until Ctrl-C.

    However this process ends, nothing it started stays behind; with --detach the lab stays. When the lab runs already,
    that is said in one line and the status is 0: what was asked for is so.

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
            click.echo(_login(), err=True)
            click.echo(f"ready in {run.ready_seconds:.1f} s: {console_url(run.url, home())}")
            if not detach:
                _stay(start)
    except lifecycle.AlreadyRunning as news:
        click.echo(str(news))
    except KeyboardInterrupt:
        if not start.ready:
            raise
        click.echo("stopping")
        shutdown.stop(start.home)
        click.echo(f"stopped; the data stays in {start.home.data}")
        if detach:
            raise


def _before_start() -> None:
    """A drill that was killed may have left files with which nothing would start."""
    from lab.drills.undo.recovery import before_start

    if not home().token.exists():  # nothing was ever started here, so nothing is left
        return
    for line in before_start(clients()):
        click.echo(line, err=True)


def _tidy(began: float) -> None:
    """Put right what the run before left: a drill that was killed, pages nobody will ever close."""
    from lab.drills.undo.recovery import tidy

    try:
        for line in tidy(clients(), began):
            click.echo(line, err=True)
    except LabError as error:  # the lab runs; what is left can wait
        click.echo(f"fleetops: could not tidy up after the last run: {error}", err=True)


def _stay(start: Start) -> None:
    """Show a live line until `fleetops down` or KeyboardInterrupt; raises LabError when supervision dies."""
    from lab.stack import shutdown, state
    from lab.stack.health import status

    line = _Live()
    try:
        while start.alive(LIVE_SECONDS):
            line.show(status.gather(start.home, start.ports))
    finally:
        line.end()
    if not state.unclean(start.home):
        click.echo("stopped by `fleetops down`")
        return
    shutdown.stop(start.home)
    raise LabError(f"supervision ended unexpectedly; everything was stopped; see {start.home.logs / 'supervisord.log'}")


class _Live:
    """One line that is rewritten on a terminal; elsewhere a plain line when the news changes, or once a minute."""

    def __init__(self) -> None:
        self.tty = sys.stdout.isatty()
        self.news = ""
        self.told = 0.0

    def show(self, now: Status) -> None:
        """Tell `now`."""
        state = "ready" if now.ready else "not ready: " + (now.waiting_for or ["the lab"])[0]
        news = f"{state} · {'no' if not now.open_pages else now.open_pages} open pages"
        if now.too_busy:
            news += " · " + now.too_busy.partition(";")[0]
        if now.silences:
            news += f" · {len(now.silences)} SILENCED, see `fleetops status`"
        rate = "" if now.requests_per_second is None else f" · {now.requests_per_second:.0f} requests/s"
        text = f"{news}{rate} · {_mib(now.total_rss_bytes)} · Ctrl-C stops everything"
        if self.tty:
            click.echo(f"\r\x1b[K{text[:118]}", nl=False)
        elif news != self.news or time.monotonic() - self.told > QUIET_SECONDS:
            click.echo(text)
            self.told = time.monotonic()
        self.news = news

    def end(self) -> None:
        """Leave the line."""
        if self.tty:
            click.echo()


@click.command()
def down() -> None:
    """Stop the lab; its data stays.

    Also ends what a run that ended badly has left behind.

    \b
    Example: fleetops down
    """
    from lab.stack import shutdown

    where = home()
    stopped = shutdown.down(where)
    click.echo(f"stopped; the data stays in {where.data}" if stopped else f"nothing runs in {where.path}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object: ready, urls, processes, total_rss_bytes.")
def status(as_json: bool) -> None:
    """Say what runs and whether it is ready.

    Exit status 0 when the lab is ready, 1 when it is not.

    \b
    Example: fleetops status --json
    """
    from lab.control.spool import Spool
    from lab.stack.health import status as stack_status

    now, audit = stack_status.gather(home(), ports()), Spool.of(home()).backlog()
    if as_json:
        click.echo(json.dumps({**now.as_json(), "audit": audit.as_json()}, indent=1))
    else:
        _print_status(now)
        if not audit.clear:
            click.echo(f"audit log       {audit}")
    if not now.ready:
        click.get_current_context().exit(1)


def _print_status(now: Status) -> None:
    if not now.running:
        click.echo("; ".join(["not running", *now.waiting_for, "`fleetops up` starts the lab"]))
        return
    for row in now.processes:
        again = f"  {row.restarts} restarts" if row.restarts else ""
        click.echo(f"{row.name:<15} {row.state:<9} {row.pid or '-':>8} {_mib(row.rss_bytes):>9}{again}")
    click.echo(f"{'total':<34} {_mib(now.total_rss_bytes):>9}")
    for name, address in now.urls.items():
        click.echo(f"{name:<15} {now.console_url if name == 'console' else address}")
    click.echo(f"{'':<15} {_login()}")
    if now.open_pages is not None:
        click.echo(f"open pages      {now.open_pages}")
    if now.too_busy:
        click.echo(f"TOO BUSY        {now.too_busy}")
    for silence in now.silences or ():
        click.echo(f"SILENCED        {silence}: such alerts page nobody")
    for note in now.notes:
        click.echo(f"note            {note}")
    click.echo("ready" if now.ready else "not ready: " + "; ".join(now.waiting_for))


@click.command()
@click.argument("service")
@click.option("--trace", metavar="ID", help="Only lines of this trace.")
@click.option("--follow", "-f", is_flag=True, help="Go on with lines as they are written.")
@click.option(
    "--lines", "-n", type=click.IntRange(min=0), default=50, show_default=True, help="How many of the last lines."
)
def logs(service: str, trace: str | None, follow: bool, lines: int) -> None:
    """Read the logs of a service.

    SERVICE is a service, such as feed: all its replicas, merged in the order of time; or one instance, such as feed-1.

    \b
    Example: fleetops logs gateway --trace 4bf92f3577b34da6a3ce929d0e0e4736
    """
    from lab.stack import logs as stack_logs

    paths = stack_logs.files(home(), service)
    growing = stack_logs.follow(paths, trace) if follow else ()
    for line in stack_logs.last(paths, lines, trace):
        click.echo(line.text)
    for line in growing:
        click.echo(line.text)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object: ok, findings.")
@click.option("--fetch", is_flag=True, help="Fetch the programs that are missing first.")
def doctor(as_json: bool, fetch: bool) -> None:
    """Say what this machine offers and what is missing; undo what a killed drill has left.

    Exit status 0 when nothing is in the way, 1 when something is.

    \b
    Example: fleetops doctor --fetch
    """
    from lab.stack.health import doctor as stack_doctor
    from lab.stack.tools import binaries

    if fetch:
        binaries.ensure(lambda text: click.echo(text, err=True))
    findings = [*stack_doctor.examine(home(), ports()), *_leftovers()]
    fine = all(finding.ok for finding in findings)
    if as_json:
        click.echo(json.dumps({"ok": fine, "findings": [finding.as_json() for finding in findings]}, indent=1))
    else:
        for finding in findings:
            mend = "" if finding.ok or not finding.fix else f" → {finding.fix}"
            click.echo(f"{'ok' if finding.ok else '!!'}  {finding.name:<19} {finding.found}{mend}")
    if not fine:
        click.get_current_context().exit(1)


def _leftovers() -> list[Finding]:
    from lab.drills.undo.recovery import examine

    return examine(clients()) if home().token.exists() else []
