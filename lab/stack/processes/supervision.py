"""supervisord: its configuration, and the client that starts, stops and lists programs.

Each program is started through the exec wrapper (exec_wrapper.py), which reads its arguments and environment from
run/programs/NAME.json, so that nothing needs supervisord's quoting.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import sys
import tempfile
import xmlrpc.client
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from lab.atomic_write import write_text
from lab.errors import LabError, NotRunning, UsageError
from lab.paths import ROOT, Home
from lab.stack.health import machine
from lab.stack.programs import STAGES, Program, service_of

EXEC_WRAPPER = Path(__file__).with_name("exec_wrapper.py")
MARK = "FLEETOPS_LAB_ID"  # environment variable of every process of a lab: its state directory
SUPERVISOR = "supervisord"
LONGEST_SOCKET_PATH = 90  # the kernel allows some 104, and supervisord binds to a longer name first
# A log and its rotated parts share the quota of a process. When it is full, the oldest part is deleted.
LOG_BYTES = 8 * 1024 * 1024
LOG_BACKUPS = 2


@dataclass(frozen=True)
class ProcessRow:
    """One supervised process. `state` is supervisord's state in lower case, or "frozen" after SIGSTOP.

    `rss_bytes` covers the process and its children, shared memory counted once; `private_bytes` leaves out shared
    memory and mapped files, whose pages the kernel can drop. `restarts` counts the starts after the first since
    `fleetops up`.
    """

    name: str
    service: str
    pid: int | None
    state: str
    rss_bytes: int
    private_bytes: int
    restarts: int


def socket_path(home: Home) -> Path:
    """supervisord's socket: in the state directory, or in a private temporary directory when its path is too long."""
    path = home.run / "supervisor.sock"
    if len(str(path)) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(str(home.path).encode()).hexdigest()[:10]
    return Path(tempfile.gettempdir()) / f"fleetops-{os.getuid()}-{digest}" / "s.sock"


def spec_file(home: Home, name: str) -> Path:
    """The exec wrapper's specification of `name`."""
    return home.run / "programs" / f"{name}.json"


def starts_file(home: Home, name: str) -> Path:
    """The starts file of `name`: one line, the time, per start since `fleetops up`."""
    return home.run / "starts" / name


def asked_file(home: Home, name: str) -> Path:
    """The file of requested starts of `name`, one line each; supervisord made the other starts by itself."""
    return home.run / "asked" / name


def wrapped_command(
    home: Home, name: str, argv: Iterable[str], *, env: dict[str, str] | None = None, user: str | None = None,
    death_signal: int = signal.SIGKILL, cwd: str = str(ROOT), counted: bool = False,
) -> list[str]:  # fmt: skip
    """Write the specification of a process; returns the command that starts it through the exec wrapper."""
    spec = {
        "argv": list(argv),
        "env": {**(env or {}), MARK: str(home.path)},
        "cwd": cwd,
        "user": user,
        "death_signal": int(death_signal),
        "starts": str(starts_file(home, name)) if counted else None,
    }
    write_text(spec_file(home, name), json.dumps(spec, indent=1), mode=0o600)
    return [sys.executable, "-I", "-S", str(EXEC_WRAPPER), str(spec_file(home, name))]


def render(home: Home, programs: Iterable[Program]) -> Path:
    """Write supervisord's configuration and every program's specification; returns the configuration's path."""
    programs = list(programs)
    socket = socket_path(home)
    for folder in (socket.parent, home.run / "programs", home.run / "starts", home.run / "asked", home.logs):
        folder.mkdir(parents=True, exist_ok=True)
    if socket.parent != home.run:
        socket.parent.chmod(0o700)
    for old in (*starts_file(home, "any").parent.iterdir(), *asked_file(home, "any").parent.iterdir()):
        old.unlink()
    sections = [
        f"[supervisord]\nnodaemon=true\nsilent=true\nlogfile={home.logs / 'supervisord.log'}\nlogfile_maxbytes=4MB\n"
        f"logfile_backups=1\npidfile={home.run / 'supervisord.pid'}\nminfds=256\nminprocs=64\nidentifier=fleetops\n"
        + ("user=root\n" if os.geteuid() == 0 else ""),
        f"[unix_http_server]\nfile={socket}\nchmod=0600\n",
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n",
        *(_section(home, program) for program in programs),
        *_groups(programs),
    ]
    config = home.run / "supervisord.conf"
    write_text(config, "\n".join(sections).replace("%", "%%"))
    return config


def _section(home: Home, program: Program) -> str:
    command = wrapped_command(
        home,
        program.name,
        program.argv,
        env=dict(program.env),
        user=program.user,
        death_signal=program.death_signal,
        cwd=program.cwd,
        counted=True,
    )
    quoted = " ".join(f'"{part}"' for part in command)
    # A program that exits at its start is restarted with a growing delay, as by an orchestrator, and without a limit: a
    # full disk may keep PostgreSQL down for hours.
    return (
        f"[program:{program.name}]\ncommand={quoted}\nautostart=false\nstartsecs=1\nstartretries=1000000\n"
        + ("autorestart=unexpected\nexitcodes=0\n" if program.on_demand else "autorestart=true\n")
        + f"stopsignal={program.stop_signal}\nstopwaitsecs={program.stop_seconds}\nredirect_stderr=true\n"
        f"stdout_logfile={home.logs / program.name}.log\n"
        f"stdout_logfile_maxbytes={LOG_BYTES}\nstdout_logfile_backups={LOG_BACKUPS}\n"
    )


def _groups(programs: Iterable[Program]) -> list[str]:
    """One group per stage: supervisord stops groups in reverse order, and the programs of a group concurrently."""
    members: dict[str, list[str]] = {}
    for program in programs:
        members.setdefault(program.stage, []).append(program.name)
    return [
        f"[group:{stage}]\nprograms={','.join(members.get(stage, []))}\npriority={priority}\n"
        for priority, stage in enumerate(STAGES, start=1)
        if stage in members
    ]


class Supervisor:
    """The client of supervisord. Every method raises NotRunning when it does not answer."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._socket = socket_path(home)
        self._group_of: dict[str, str] = {}

    def _call(self, method: str, *arguments: Any) -> Any:
        from supervisor.xmlrpc import SupervisorTransport

        if not self._socket.exists():
            raise NotRunning(f"no lab runs in {self._home.path}; start it with `fleetops up`")
        proxy = xmlrpc.client.ServerProxy("http://lab", SupervisorTransport(None, None, f"unix://{self._socket}"))
        try:
            return getattr(proxy, f"supervisor.{method}")(*arguments)
        except xmlrpc.client.Fault as fault:
            raise _error(fault, arguments) from fault
        except (OSError, xmlrpc.client.Error, ValueError) as error:
            raise NotRunning(
                f"the lab in {self._home.path} does not answer ({type(error).__name__}); "
                "try `fleetops down`, then `fleetops up`"
            ) from error

    def pid(self) -> int | None:
        """supervisord's process id; None when it does not answer."""
        try:
            return int(self._call("getPID"))
        except NotRunning:
            return None

    def start(self, name: str, *, wait: bool = True) -> None:
        """Start a program unless it is running. With `wait`, return when it has been up for a second.

        On a full disk, the start matters more than its count.
        """
        full = self._full(name)
        with contextlib.suppress(OSError), asked_file(self._home, name).open("a", encoding="utf-8") as file:
            file.write("asked\n")
        try:
            self._call("startProcess", full, wait)
        except LabError as error:
            if not str(error).startswith("ALREADY_STARTED"):
                raise
            requested = asked_file(self._home, name)
            with contextlib.suppress(OSError):
                requested.write_text(requested.read_text(encoding="utf-8").partition("\n")[2], encoding="utf-8")

    def stop(self, name: str) -> None:
        """Stop a program and wait until it has exited; nothing happens if it is stopped."""
        try:
            self._call("stopProcess", self._full(name), True)
        except LabError as error:
            if not str(error).startswith("NOT_RUNNING"):
                raise

    def restart(self, name: str) -> None:
        """Stop a program, then start it."""
        self.stop(name)
        self.start(name)

    def signal(self, name: str, signal_name: str) -> None:
        """Send a signal, e.g. "HUP", to a program."""
        self._call("signalProcess", self._full(name), signal_name)

    def _full(self, name: str) -> str:
        """supervisord's name of a program: GROUP:NAME. UsageError for an unknown program."""
        if name not in self._group_of:
            self._group_of = {str(info["name"]): str(info["group"]) for info in self._call("getAllProcessInfo")}
        if name not in self._group_of:
            raise UsageError(f"no program {name!r}; `fleetops status` lists them")
        return f"{self._group_of[name]}:{name}"

    def names(self) -> list[str]:
        """The names of all declared programs."""
        return [str(info["name"]) for info in self._call("getAllProcessInfo")]

    def pids(self) -> dict[str, int]:
        """The process ids of the programs that run now, by name."""
        return {str(info["name"]): int(info["pid"]) for info in self._call("getAllProcessInfo") if info["pid"]}

    def processes(self) -> list[ProcessRow]:
        """Every program started since `fleetops up`, and supervisord last."""
        rows = []
        for info in self._call("getAllProcessInfo"):
            name, state = str(info["name"]), str(info["statename"]).lower()
            count = starts(self._home, name)
            if count:
                pid = int(info["pid"]) or None
                memory, frozen = _memory(pid)
                rows.append(ProcessRow(name, service_of(name), pid, "frozen" if frozen else state, *memory, count - 1))
        own = self.pid()
        rows.append(ProcessRow(SUPERVISOR, SUPERVISOR, own, "running", *_memory(own, children=False)[0], 0))
        return rows


def _error(fault: xmlrpc.client.Fault, arguments: tuple[Any, ...]) -> LabError:
    reason = str(fault.faultString)
    subject = str(arguments[0]).rpartition(":")[2] if arguments else "supervisord"
    if reason.startswith(("SPAWN_ERROR", "ABNORMAL_TERMINATION")):
        return LabError(f"{subject} did not stay up; see `fleetops logs {subject}`")
    return LabError(f"{reason} ({subject})")


def starts(home: Home, name: str) -> int:
    """The number of starts of `name` since `fleetops up`."""
    return _lines(starts_file(home, name))


def unplanned_starts(home: Home, name: str) -> int:
    """The number of restarts of `name` by supervisord after an exit."""
    return max(0, starts(home, name) - _lines(asked_file(home, name)))


def _lines(file: Path) -> int:
    try:
        return file.read_text(encoding="utf-8").count("\n")
    except FileNotFoundError:
        return 0


def _memory(pid: int | None, *, children: bool = True) -> tuple[tuple[int, int], bool]:
    """(`machine.memory_bytes` of the process and its children, whether it is frozen by SIGSTOP)."""
    if pid is None:
        return (0, 0), False
    try:
        process = psutil.Process(pid)
        memory, frozen = [process.memory_info()], process.status() == psutil.STATUS_STOPPED
        descendants = process.children(recursive=True) if children else []
    except psutil.Error:
        return (0, 0), False
    for child in descendants:
        with contextlib.suppress(psutil.Error):
            memory.append(child.memory_info())
    return machine.memory_bytes(memory), frozen
