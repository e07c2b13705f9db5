"""Start the lab step by step. An aborted start leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from lab.errors import LabError
from lab.paths import SITE, Home, Ports
from lab.services import schema
from lab.stack import logs, programs, replicas, running, state
from lab.stack.backends import certificates, monitoring, postgres, valkey
from lab.stack.console_key import console_url
from lab.stack.health import disk, probes
from lab.stack.processes import orphans, supervision
from lab.stack.processes.interrupt import Interrupt
from lab.stack.processes.supervision import SUPERVISOR, Supervisor
from lab.stack.programs import CLIENTS, PLATFORM, SERVICES, Program
from lab.stack.shutdown import stop
from lab.stack.tools import binaries

Say = Callable[[str, str], None]
READY_SECONDS = 90.0
# Short, because an aborted start serves no traffic yet. A signal that reaches a program between fork and exec is
# lost, and supervisord would wait for each such program in turn.
ABORT_SECONDS = 8.0
MAX_STARTS = 4


class AlreadyRunning(LabError):
    """The lab in this state directory is running already; nothing was changed. `fleetops up` reports it as success."""

    def __init__(self, run: state.RunState, home: Home) -> None:
        address = console_url(run.url, home)
        super().__init__(f"already running (pid {run.supervisor}, {address}); `fleetops down` stops it")


@dataclass
class Start:
    """One start of the lab in `home` on `ports`. With `foreground`, the lab stops when this process dies.

    `say` receives progress (part, text); `before` is called after the disk check, before anything is changed; every
    wait checks `interrupt`.
    """

    home: Home
    ports: Ports
    say: Say
    foreground: bool
    before: Callable[[], None] = lambda: None
    interrupt: Interrupt = field(default_factory=Interrupt)
    ready: bool = False
    daemon: subprocess.Popen[bytes] | None = None
    table: Mapping[str, Program] = field(default_factory=dict)
    launched: list[Program] = field(default_factory=list)
    scraped: list[Program] = field(default_factory=list)

    @property
    def _supervisor(self) -> Supervisor:
        return Supervisor(self.home)

    def run(self) -> state.RunState:
        """Start everything and return when it is ready. On an error or a signal, stop what was started and raise.

        Raises AlreadyRunning, LabError, and KeyboardInterrupt after a signal.
        """
        with self.interrupt:
            self._require_space()
            self.before()
        state.make_directories(self.home)
        with state.lock(self.home, self._wait_for_lock):
            with self.interrupt:
                self._refuse_or_clean()
            try:
                with self.interrupt:
                    run = self._start()
            except BaseException:
                stop(self.home, ABORT_SECONDS)
                raise
            self.ready = True
            return run

    def _require_space(self) -> None:
        """Raise LabError when the disk is too full to start, unless the lab is running already."""
        if running.find(self.home) is None:
            disk.require(self.home)

    def _wait_for_lock(self, waited: bool) -> None:
        if not waited:
            self.say("waiting", "another start or stop is in progress")
        self.interrupt.check()

    def alive(self, seconds: float) -> bool:
        """Wait `seconds`, or until supervisord exits; returns whether it is alive. KeyboardInterrupt after a signal."""
        self.interrupt.check()
        if self.daemon is None:
            return False
        try:
            self.daemon.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def _refuse_or_clean(self) -> None:
        run = running.find(self.home)
        if run is not None and run.phase == "ready":
            if state.read(self.home) != run:
                self.say("run state", "run/lab.json is damaged; it is rewritten from the running processes")
                with contextlib.suppress(OSError):  # on a full disk the lab still runs
                    state.write(self.home, run)
            if full := disk.full(self.home):
                self.say("disk", full)
            raise AlreadyRunning(run, self.home)
        leftovers = orphans.find(self.home)
        if leftovers:
            self.say("cleaning", f"{len(leftovers)} processes left by a run that was not shut down")
        stop(self.home)
        if not (SITE / "index.html").exists():
            # Not an error: the lab is needed to record a drill again when a stale record fails the site build.
            self.say("no site", "the console has no pages until `make site` has built them; everything else works")
        self.table = replicas.known(self.home, self.ports)
        orphans.require_free((p.name, port) for p in self._default() for port in p.ports)

    def _default(self, stage: str | None = None) -> list[Program]:
        return [p for p in self.table.values() if p.default and stage in (None, p.stage)]

    def _start(self) -> state.RunState:
        began = time.monotonic()
        run = state.RunState(
            "starting",
            os.getpid(),
            0,
            self.ports.base,
            programs.url(self.ports.console),
            time.time(),
            0.0,
            self.foreground,
        )
        state.write(self.home, run)
        tools = binaries.ensure(lambda text: self.say("programs", text))
        servers = [tools[name] for name in monitoring.SERVERS]
        self.say("programs", ", ".join(f"{tool.name} {tool.version} ({tool.source})" for tool in servers))
        postgres.prepare(self.home, lambda text: self.say("database", text))
        valkey.prepare(self.home, self.ports.valkey)
        if certificates.ensure(self.home, "link-db", time.time()):
            self.say("tls", f"link-db has a new certificate, valid for {certificates.LIFETIME_DAYS:g} days")
        paths = {name: tool.path for name, tool in tools.items()}
        self.table = programs.table(self.home, self.ports, paths)
        # A program becomes a scrape target when it answers, so a slow start does not count as an outage.
        monitoring.render(self.home, self.ports, self.table.values(), targets=())
        monitoring.forget_notifications(self.home)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="check") as pool:
            checked = pool.submit(monitoring.check, self.home, paths)
            run = replace(run, supervisor=self._start_supervisor())
            state.write(self.home, run)
            self._bring_up(checked.result)
        self._check_supervisor()
        run = replace(run, phase="ready", ready_seconds=round(time.monotonic() - began, 1))
        state.write(self.home, run)
        return run

    def _start_supervisor(self) -> int:
        config = supervision.render(self.home, self.table.values())
        command = supervision.wrapped_command(
            self.home,
            SUPERVISOR,
            [sys.executable, "-m", "lab.stack.processes.supervisord", "-c", str(config)],
            death_signal=15 if self.foreground else 0,
        )
        with (self.home.logs / "supervisord.out").open("wb") as output:
            # In its own session: Ctrl-C reaches only this process, which then stops everything in order.
            self.daemon = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        deadline = time.monotonic() + 20
        while (pid := self._supervisor.pid()) is None:
            self._check_supervisor()
            if time.monotonic() > deadline:
                raise LabError(f"supervisord does not answer; see {self.home.logs / 'supervisord.out'}")
            time.sleep(0.05)
        return pid

    def _check_supervisor(self) -> None:
        """Called in every wait of the start. KeyboardInterrupt after a signal, LabError when supervisord has exited."""
        self.interrupt.check()
        if self.daemon is not None and self.daemon.poll() is not None:
            raise LabError(
                f"supervisord exited (status {self.daemon.returncode}); see {self.home.logs / 'supervisord.log'}"
            )

    def _check_start(self) -> None:
        """Scrape the programs that answer. LabError when supervisord has exited or a program keeps exiting."""
        self._check_supervisor()
        self._scrape(p for p in self.launched if probes.answers(p))
        for program in self._default():
            if supervision.starts(self.home, program.name) > MAX_STARTS:
                lines = logs.last(logs.files(self.home, program.name), 1)
                reason = f": {lines[0].text[:300]}" if lines else ""
                raise LabError(f"{program.name} does not stay up{reason}; see `fleetops logs {program.name}`")

    def _bring_up(self, config_checked: Callable[[], None]) -> None:
        monitors = [p for p in self._default(PLATFORM) if p.name in monitoring.SERVERS]
        self._launch(p for p in self._default(PLATFORM) if p not in monitors)
        config_checked()
        self._launch(monitors)
        self._launch(self._default(SERVICES))  # they import modules while the database is seeded
        probes.wait_ready([self.table["postgres"], self.table["valkey"]], READY_SECONDS, self._check_start)
        self._prepare_database()
        self.say("platform", "waiting for " + ", ".join(p.name for p in self._default(PLATFORM)))
        probes.wait_ready(self._default(PLATFORM), READY_SECONDS, self._check_start)
        self.say("services", "waiting for " + ", ".join(p.name for p in self._default(SERVICES)))
        probes.wait_ready(self._default(SERVICES), READY_SECONDS, self._check_start)
        replicas.route_defaults(self.home, self.ports)
        self._launch(self._default(CLIENTS))
        self._scrape(self._default())  # Prometheus reads target files every 5 s: write them before the wait
        probes.wait_ready(self._default(CLIENTS), READY_SECONDS, self._check_start)
        self.say("scraping", "waiting for every target and rule")
        probes.wait_scraped(self.home, self.ports, self._default(), READY_SECONDS, self._check_supervisor)

    def _launch(self, wanted: Iterable[Program]) -> None:
        supervisor = self._supervisor
        for program in wanted:
            self._check_supervisor()
            supervisor.start(program.name, wait=False)
            self.launched.append(program)

    def _scrape(self, answering: Iterable[Program]) -> None:
        new = [program for program in answering if program.job and program not in self.scraped]
        if new:
            self.scraped += new
            monitoring.write_targets(self.home, self.scraped)

    def _prepare_database(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                postgres.ensure_database(self.home, self.ports.postgres)
                break
            except postgres.Unreachable as error:
                self._check_supervisor()
                if time.monotonic() > deadline:
                    raise LabError(
                        f"PostgreSQL does not accept connections: {error}; see `fleetops logs postgres`"
                    ) from error
                time.sleep(0.1)
        self.say("database", "schema and seed data")
        self.say("database", schema.create(postgres.url(self.home, self.ports.postgres)))
