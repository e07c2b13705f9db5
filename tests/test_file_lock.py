"""Lock files: one holder at a time, also among processes, and none after the holder's end."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lab.file_lock import LockHeld, held


def test_a_lock_has_one_holder_and_names_it(tmp_path: Path) -> None:
    file = tmp_path / "new" / "a.lock"
    with held(file) as lock:
        lock.write("process 7")
        lock.flush()
        with pytest.raises(LockHeld, match="process 7"), held(file, wait=False):
            pass
    with held(file, wait=False):
        pass


def test_who_waits_gets_the_lock_when_it_is_free(tmp_path: Path) -> None:
    file, order = tmp_path / "a.lock", list[str]()

    def second() -> None:
        with held(file):
            order.append("second")

    with held(file):
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.1)
        order.append("first")
    waiting.join(10)
    assert order == ["first", "second"]


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    file = tmp_path / "a.lock"
    code = "import os, pathlib, sys; from lab.file_lock import held\nwith held(pathlib.Path(sys.argv[1])): os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code, str(file)], check=False).returncode == 9
    with held(file, wait=False):
        pass
