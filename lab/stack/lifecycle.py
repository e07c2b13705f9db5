"""Bring the lab up, step by step; a start that is broken off leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
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
# A start that is broken off serves nobody yet. A signal that reaches a program between fork and exec is lost, and
# supervisord would wait for each such program in turn.
BROKEN_OFF_SECONDS = 8.0
MAX_STARTS = 4


class AlreadyRunning(LabError):
    """The lab in this state directory runs already. Nothing was changed; what was asked for is so."""

    exit_status = 0

    def __init__(self, run: state.RunState, home: Home) -> None:
        address = console_url(run.url, home)
        super().__init__(f"running already (pid {run.supervisor}, {address}); `fleetops down` stops it")


@dataclass
class Start:
    """One start of the lab in `home` on `ports`. `foreground` ties it to the life of this process.

    `before` is called once a start is possible, before anything is changed. Every wait asks `interrupt` whether to go
    on.
    """

    home: Home
    ports: Ports
    say: Say
    foreground: bool
    before: Callable[[], None] = lambda: None
    interrupt: Interrupt = field(default_factory=Interrupt)
    ready: bool = False
    daemon: subprocess.Popen[bytes] | None = None
    table: dict[str, Program] = field(default_factory=dict)
    launched: list[Program] = field(default_factory=list)
    watched: list[Program] = field(default_factory=list)

    @property
    def _supervisor(self) -> Supervisor:
        return Supervisor(self.home)

    def run(self) -> state.RunState:
        """All of it: returns when everything is ready, or stops what was started and raises.

        Raises AlreadyRunning, LabError, and KeyboardInterrupt when a signal has come.
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
                stop(self.home, BROKEN_OFF_SECONDS)
                raise
            self.ready = True
            return run

    def _require_space(self) -> None:
        """Raises LabError when the disk is too full to start. One that runs already may say so first."""
        if running.find(self.home) is None:
            disk.require(self.home)

    def _wait_for_lock(self, waited: bool) -> None:
        if not waited:
            self.say("waiting", "another start or stop is under way")
        self.interrupt.check()

    def alive(self, seconds: float) -> bool:
        """Wait; False as soon as supervisord has ended."""
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
                self.say("run state", "run/lab.json could not be used; it is written again from the running processes")
                with contextlib.suppress(OSError):  # on a full disk the lab runs all the same
                    state.write(self.home, run)
            if full := disk.full(self.home):
                self.say("disk", full)
            raise AlreadyRunning(run, self.home)
        remains = orphans.find(self.home)
        if remains:
            self.say("cleaning", f"{len(remains)} processes left by a run that ended badly")
        stop(self.home)
        if not (SITE / "index.html").exists():
            # The lab is what mends a record that keeps the site from being built.
            self.say("no site", "the console has no pages until `make site` has built them; all else works")
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
        found = binaries.ensure(lambda text: self.say("programs", text))
        used = [found[name] for name in ("prometheus", "alertmanager")]
        self.say("programs", ", ".join(f"{tool.name} {tool.version} ({tool.source})" for tool in used))
        postgres.prepare(self.home, lambda text: self.say("db", text))
        valkey.prepare(self.home, self.ports.valkey)
        if certificates.ensure(self.home, "link-db", time.time()):
            self.say("tls", f"link-db has a new certificate, good for {certificates.LIFETIME_DAYS:g} days")
        tools = {name: tool.path for name, tool in found.items()}
        self.table = programs.table(self.home, self.ports, tools)
        # A program becomes a target when it answers: a slow start is no outage.
        monitoring.render(self.home, self.ports, self.table.values(), targets=())
        monitoring.forget_notifications(self.home)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="check") as pool:
            checked = pool.submit(monitoring.check, self.home, tools)
            run = replace(run, supervisor=self._start_supervisor())
            state.write(self.home, run)
            self._bring_up(checked.result)
        self._still_there()
        run = replace(run, phase="ready", ready_seconds=round(time.monotonic() - began, 1))
        state.write(self.home, run)
        return run

    def _start_supervisor(self) -> int:
        config = supervision.render(self.home, self.table.values())
        command = supervision.leashed(
            self.home,
            SUPERVISOR,
            [sys.executable, "-m", "lab.stack.processes.supervisord", "-c", str(config)],
            death_signal=15 if self.foreground else 0,
        )
        with (self.home.logs / "supervisord.out").open("wb") as output:
            # A session of its own: Ctrl-C reaches this process alone, which then stops everything in order.
            self.daemon = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        deadline = time.monotonic() + 20
        while (pid := self._supervisor.pid()) is None:
            self._still_there()
            if time.monotonic() > deadline:
                raise LabError(f"supervisord does not answer; see {self.home.logs / 'supervisord.out'}")
            time.sleep(0.05)
        return pid

    def _still_there(self) -> None:
        """What every wait of the start asks. Raises KeyboardInterrupt, and LabError when supervisord has ended."""
        self.interrupt.check()
        if self.daemon is not None and self.daemon.poll() is not None:
            raise LabError(
                f"supervisord ended (status {self.daemon.returncode}); see {self.home.logs / 'supervisord.log'}"
            )

    def _check(self) -> None:
        """Have Prometheus watch what answers by now; give up when supervisord is gone or a program does not stay up."""
        self._still_there()
        self._watch(p for p in self.launched if probes.answers(p))
        for program in self._default():
            if supervision.starts(self.home, program.name) > MAX_STARTS:
                last = logs.last(logs.files(self.home, program.name), 1)
                said = f": {last[0].text[:300]}" if last else ""
                raise LabError(f"{program.name} does not stay up{said}; see `fleetops logs {program.name}`")

    def _bring_up(self, config_checked: Callable[[], None]) -> None:
        watchers = [p for p in self._default(PLATFORM) if p.name in ("prometheus", "alertmanager")]
        first = [p for p in self._default(PLATFORM) if p not in watchers]
        self._launch(first)
        config_checked()
        self._launch(watchers)
        self._launch(self._default(SERVICES))  # they import and connect while the DB is being filled
        probes.wait_ready([self.table["postgres"], self.table["valkey"]], READY_SECONDS, self._check)
        self._prepare_database()
        self.say("platform", "waiting for " + ", ".join(p.name for p in self._default(PLATFORM)))
        probes.wait_ready(self._default(PLATFORM), READY_SECONDS, self._check)
        self.say("services", "waiting for " + ", ".join(p.name for p in self._default(SERVICES)))
        probes.wait_ready(self._default(SERVICES), READY_SECONDS, self._check)
        replicas.route_defaults(self.home, self.ports)
        self._launch(self._default(CLIENTS))
        self._watch(self._default())  # Prometheus looks for new targets every 5 s: do not miss the next time
        probes.wait_ready(self._default(CLIENTS), READY_SECONDS, self._check)
        self.say("watching", "waiting for every target and rule")
        probes.wait_watched(self.home, self.ports, self._default(), READY_SECONDS, self._still_there)

    def _launch(self, wanted: Iterable[Program]) -> None:
        supervisor = self._supervisor
        for program in wanted:
            self._still_there()
            supervisor.start(program.name, wait=False)
            self.launched.append(program)

    def _watch(self, answering: Iterable[Program]) -> None:
        new = [program for program in answering if program.job and program not in self.watched]
        if new:
            self.watched += new
            monitoring.write_targets(self.home, self.watched)

    def _prepare_database(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                postgres.ensure_database(self.home, self.ports.postgres)
                break
            except postgres.Unreachable as error:
                self._still_there()
                if time.monotonic() > deadline:
                    raise LabError(
                        f"the DB does not accept connections: {error}; see `fleetops logs postgres`"
                    ) from error
                time.sleep(0.1)
        self.say("db", "schema and seed")
        self.say("db", schema.create(postgres.url(self.home, self.ports.postgres)))
