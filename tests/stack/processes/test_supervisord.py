"""supervisord keeps running when its logs cannot be written. A link to /dev/full simulates a full disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from supervisor import loggers
from support import eventually, free_port, running

from lab.paths import ROOT
from lab.stack.processes.supervisord import LossyLog

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here: a full disk was not tested")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LossyLog]:
    """A log of raw chunks, like supervisord's log of a program's output, on a full disk."""
    (tmp_path / "program.log").symlink_to("/dev/full")
    handler = LossyLog(str(tmp_path / "program.log"), "a", 40, 1)
    handler.setFormat("%(message)s")
    handler.setLevel(loggers.LevelsByName.INFO)
    yield handler
    handler.close()


def write(log: LossyLog, *chunks: bytes) -> None:
    for chunk in chunks:
        log.emit(loggers.LogRecord(loggers.LevelsByName.INFO, chunk))


def free_the_disk(path: Path) -> None:
    path.unlink()
    path.touch()


def test_lines_that_cannot_be_written_are_dropped_and_later_ones_are_complete(log: LossyLog, tmp_path: Path) -> None:
    write(log, b"lost 1\n", b"lost 2\n")
    free_the_disk(tmp_path / "program.log")
    write(log, b"kept 1\n", b"kept 2\n")
    assert (tmp_path / "program.log").read_bytes().split() == [b"kept", b"1", b"kept", b"2"]


def test_a_log_rotates_after_the_disk_was_full(log: LossyLog, tmp_path: Path) -> None:
    write(log, b"lost\n")
    free_the_disk(tmp_path / "program.log")
    write(log, b"x" * 50, b"after\n")
    assert (tmp_path / "program.log").read_bytes() == b"after\n"
    assert (tmp_path / "program.log.1").stat().st_size == 51


def test_a_rotation_that_fails_loses_no_later_line(
    log: LossyLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_the_disk(tmp_path / "program.log")
    log.reopen()
    with monkeypatch.context() as full:
        full.setattr(log, "removeAndRename", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        write(log, b"x" * 50)
    write(log, b"after\n")
    assert (tmp_path / "program.log.1").read_bytes().endswith(b"after\n")


def test_a_log_in_a_missing_directory_starts_when_the_directory_exists(tmp_path: Path) -> None:
    log = LossyLog(str(tmp_path / "logs" / "late.log"), "a", 1000, 1)
    log.setFormat("%(message)s")
    write(log, b"lost\n")
    (tmp_path / "logs").mkdir()
    write(log, b"kept\n")
    log.close()
    assert (tmp_path / "logs" / "late.log").read_bytes() == b"kept\n"


@pytest.mark.parametrize("action", ["nothing", "reopen its logs"])
def test_supervisord_and_its_programs_survive_a_full_disk(tmp_path: Path, action: str) -> None:
    """The program writes all the time; it is neither stopped nor blocked."""
    for name in ("supervisord.log", "talker.log", "out"):
        (tmp_path / name).symlink_to("/dev/full")
    talk = (
        "import pathlib, time\nfor number in range(10**6):\n"
        f"    print(number, flush=True); pathlib.Path({str(tmp_path / 'count')!r}).write_text(str(number))\n"
        "    time.sleep(0.02)\n"
    )
    (tmp_path / "talk.py").write_text(talk)
    (tmp_path / "supervisord.conf").write_text(
        f"[supervisord]\nnodaemon=true\nsilent=true\nlogfile={tmp_path}/supervisord.log\nlogfile_maxbytes=4MB\n"
        f"pidfile={tmp_path}/pid\n" + ("user=root\n" if os.geteuid() == 0 else "") + "\n"
        f"[inet_http_server]\nport=127.0.0.1:{free_port()}\n\n"
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n\n"
        f"[program:talker]\ncommand={sys.executable} {tmp_path}/talk.py\nredirect_stderr=true\n"
        f"stdout_logfile={tmp_path}/talker.log\n"
    )
    command = (sys.executable, "-m", "lab.stack.processes.supervisord", "-c", str(tmp_path / "supervisord.conf"))

    def count() -> int:
        return int((tmp_path / "count").read_text() or 0)

    with running(command, tmp_path / "out", cwd=ROOT) as supervisor:
        eventually(lambda: count() > 5, "the program writes")
        if action == "reopen its logs":
            supervisor.send_signal(12)  # SIGUSR2
        before = count()
        eventually(lambda: count() > before + 20, "the program keeps writing")
        assert supervisor.poll() is None


def test_our_own_log_lines_are_dropped_when_standard_output_is_full(tmp_path: Path) -> None:
    """A line that cannot be written does not fail a request."""
    program = (
        "from lab.telemetry import logs\nfrom lab.telemetry.settings import Environment, Settings\n"
        "logs.configure(Settings.read('exporter', environment=Environment(), admin=False))\n"
        "for n in range(5000):\n logs.get().info('x' * 100)\n"
        "open('done', 'w').close()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FLEETOPS_LISTEN": "127.0.0.1:1", "FLEETOPS_INSTANCE": "one"}
    with Path("/dev/full").open("wb") as full:
        subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env=environment, stdout=full, check=False, timeout=60
        )
    assert (tmp_path / "done").exists()
