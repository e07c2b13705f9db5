"""An aborted start stops what it has started."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lab.paths import Home, Ports
from lab.stack.lifecycle import Start


@pytest.mark.timeout(30)  # half of the stop timeout of a ready lab
def test_an_aborted_start_does_not_wait_for_a_supervisord_that_ignores_sigterm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """supervisord waits for programs that were signalled too early to notice."""
    ignores_sigterm = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", ignores_sigterm], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        monkeypatch.setattr("lab.stack.shutdown.Supervisor.pid", lambda _self: process.pid)
        monkeypatch.setattr("lab.stack.lifecycle.ABORT_SECONDS", 0.2)
        monkeypatch.setattr("lab.stack.processes.orphans.GRACE_SECONDS", 0.2)
        monkeypatch.setattr("lab.stack.lifecycle.Start._refuse_or_clean", lambda _self: None)
        monkeypatch.setattr(
            "lab.stack.lifecycle.Start._start", lambda _self: signal.default_int_handler(signal.SIGINT, None)
        )
        start = Start(Home(tmp_path), Ports(9), lambda *_: None, foreground=True)
        try:
            with pytest.raises(KeyboardInterrupt):
                start.run()
            assert not psutil.pid_exists(process.pid)
        finally:
            process.kill()
