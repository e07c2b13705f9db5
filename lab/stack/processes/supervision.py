"""supervisord: its configuration, and the client through which everything starts, stops and lists programs.

Each program is started through the leash (exec_wrapper.py), which reads its arguments and environment from
run/programs/NAME.json; nothing needs supervisord's own quoting.
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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from lab.atomic_write import write_text
from lab.errors import LabError, NotRunning, UsageError
from lab.paths import ROOT, Home
from lab.stack.programs import STAGES, Program, service_of

EXEC_WRAPPER = Path(__file__).with_name("exec_wrapper.py")
MARK = "FLEETOPS_LAB_ID"  # in the environment of every process of a lab: the state directory it belongs to
SUPERVISOR = "supervisord"
LONGEST_SOCKET_PATH = 90  # the kernel allows some 104, and supervisord binds to a longer name first
# A log and its rotated parts: together the quota of a process. The oldest part goes when it is full.
LOG_BYTES = 8 * 1024 * 1024
LOG_BACKUPS = 2


@dataclass(frozen=True)
class ProcessRow:
    """One supervised process. `state` is supervisord's word in lower case, or "frozen" when it was stopped by a signal.

    `rss_bytes` counts the process and its children, what they share once; `restarts` the starts after the first since
    `fleetops up`.
    """

    name: str
    service: str
    pid: int | None
    state: str
    rss_bytes: int
    restarts: int

    def as_json(self) -> dict[str, Any]:
        """The row as `fleetops status --json` gives it."""
        return asdict(self)


def socket_path(home: Home) -> Path:
    """supervisord's socket: in the state directory, or in a short private folder when that path is too long."""
    path = home.run / "supervisor.sock"
    if len(str(path)) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(str(home.path).encode()).hexdigest()[:10]
    return Path(tempfile.gettempdir()) / f"fleetops-{os.getuid()}-{digest}" / "s.sock"


def spec_file(home: Home, name: str) -> Path:
    """Where the leash reads how to start `name`."""
    return home.run / "programs" / f"{name}.json"


def starts_file(home: Home, name: str) -> Path:
    """One line, the time, for each start of `name` since `fleetops up`."""
    return home.run / "starts" / name


def asked_file(home: Home, name: str) -> Path:
    """One line for each start of `name` that somebody asked for; the other starts are supervision's own."""
    return home.run / "asked" / name


def leashed(
    home: Home, name: str, argv: Iterable[str], *, env: dict[str, str] | None = None, user: str | None = None,
    death_signal: int = signal.SIGKILL, cwd: str = str(ROOT), counted: bool = False,
) -> list[str]:  # fmt: skip
    """Write the specification of a process; the command that starts it on the leash."""
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
    command = leashed(
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
    # A program that dies at its start is tried again with a growing delay, as an orchestrator would. It is never given
    # up: what keeps PostgreSQL down on a full disk may last for hours.
    return (
        f"[program:{program.name}]\ncommand={quoted}\nautostart=false\nautorestart=true\nstartsecs=1\nstartretries=1000000\n"
        f"stopsignal={program.stop_signal}\nstopwaitsecs={program.stop_seconds}\nredirect_stderr=true\n"
        f"stdout_logfile={home.logs / program.name}.log\n"
        f"stdout_logfile_maxbytes={LOG_BYTES}\nstdout_logfile_backups={LOG_BACKUPS}\n"
    )


def _groups(programs: Iterable[Program]) -> list[str]:
    """A group a stage: supervisord stops the last started group first, and what is in a group at the same time."""
    members: dict[str, list[str]] = {}
    for program in programs:
        members.setdefault(program.stage, []).append(program.name)
    return [
        f"[group:{stage}]\nprograms={','.join(members.get(stage, []))}\npriority={priority}\n"
        for priority, stage in enumerate(STAGES, start=1)
        if stage in members
    ]


class Supervisor:
    """supervisord's client. Every method raises NotRunning when it does not answer."""

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
            raise _said_no(fault, arguments) from fault
        except (OSError, xmlrpc.client.Error, ValueError) as error:
            raise NotRunning(
                f"the lab in {self._home.path} does not answer ({type(error).__name__}); "
                "try `fleetops down`, then `fleetops up`"
            ) from error

    def pid(self) -> int | None:
        """supervisord's process id, or None when none answers."""
        try:
            return int(self._call("getPID"))
        except NotRunning:
            return None

    def start(self, name: str, *, wait: bool = True) -> None:
        """Start a program; one that runs stays as it is. With `wait`, returns when it has stayed up a second.

        On a full disk the start is more important than its count.
        """
        full = self._full(name)
        with contextlib.suppress(OSError), asked_file(self._home, name).open("a", encoding="utf-8") as file:
            file.write("asked\n")
        try:
            self._call("startProcess", full, wait)
        except LabError as error:
            if not str(error).startswith("ALREADY_STARTED"):
                raise
            asked = asked_file(self._home, name)
            with contextlib.suppress(OSError):
                asked.write_text(asked.read_text(encoding="utf-8").partition("\n")[2], encoding="utf-8")

    def stop(self, name: str) -> None:
        """Stop a program and wait until it is gone; one that is stopped already stays so."""
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
        """supervisord's own name for a program: GROUP:NAME."""
        if name not in self._group_of:
            self._group_of = {str(info["name"]): str(info["group"]) for info in self._call("getAllProcessInfo")}
        if name not in self._group_of:
            raise UsageError(f"no program {name!r}; `fleetops status` lists them")
        return f"{self._group_of[name]}:{name}"

    def names(self) -> list[str]:
        """Every declared program."""
        return [str(info["name"]) for info in self._call("getAllProcessInfo")]

    def processes(self) -> list[ProcessRow]:
        """Every program that was started since `fleetops up`, and supervisord itself, last."""
        rows = []
        for info in self._call("getAllProcessInfo"):
            name, state = str(info["name"]), str(info["statename"]).lower()
            count = starts(self._home, name)
            if count:
                pid = int(info["pid"]) or None
                rss, frozen = _memory(pid)
                rows.append(ProcessRow(name, service_of(name), pid, "frozen" if frozen else state, rss, count - 1))
        own = self.pid()
        rows.append(ProcessRow(SUPERVISOR, SUPERVISOR, own, "running", _memory(own, children=False)[0], 0))
        return rows


def _said_no(fault: xmlrpc.client.Fault, arguments: tuple[Any, ...]) -> LabError:
    reason = str(fault.faultString)
    subject = str(arguments[0]).rpartition(":")[2] if arguments else "supervisord"
    if reason.startswith(("SPAWN_ERROR", "ABNORMAL_TERMINATION")):
        return LabError(f"{subject} did not stay up; see `fleetops logs {subject}`")
    return LabError(f"{reason} ({subject})")


def starts(home: Home, name: str) -> int:
    """How often `name` was started since `fleetops up`."""
    return _lines(starts_file(home, name))


def unplanned_starts(home: Home, name: str) -> int:
    """How often supervision started `name` again by itself, since it had ended."""
    return max(0, starts(home, name) - _lines(asked_file(home, name)))


def _lines(file: Path) -> int:
    try:
        return file.read_text(encoding="utf-8").count("\n")
    except FileNotFoundError:
        return 0


def _memory(pid: int | None, *, children: bool = True) -> tuple[int, bool]:
    """(RSS in bytes with all children, whether the process is frozen by a signal).

    What a family shares is counted once: each of PostgreSQL's backends maps the same buffers, and a sum of their RSS
    would be several times what they take. Where the system does not tell what is shared (macOS) it is that sum.
    """
    if pid is None:
        return 0, False
    try:
        process = psutil.Process(pid)
        memory, frozen = [process.memory_info()], process.status() == psutil.STATUS_STOPPED
        family = process.children(recursive=True) if children else []
    except psutil.Error:
        return 0, False
    for child in family:
        with contextlib.suppress(psutil.Error):
            memory.append(child.memory_info())
    shared = [getattr(one, "shared", 0) for one in memory]
    return sum(one.rss for one in memory) - sum(shared) + max(shared), frozen
