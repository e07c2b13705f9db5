"""The memory of a process whose children share pages with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from lab.stack.processes import supervision

SHARED_MIB, OWN_MIB, CHILDREN = 64, 8, 3
FAMILY = f"""
import mmap, os, signal
shared = mmap.mmap(-1, {SHARED_MIB} << 20)
read, write = os.pipe()
for _ in range({CHILDREN}):
    if not os.fork():
        own = bytearray(os.urandom(1 << 20) * {OWN_MIB})
        shared[:] = bytes(len(shared))
        os.write(write, b"x")
        signal.pause()
for _ in range({CHILDREN}):
    os.read(read, 1)
print("ready", flush=True)
signal.pause()
"""


@pytest.mark.skipif(
    not hasattr(psutil.Process().memory_info(), "shared"), reason="this system does not report shared memory"
)
def test_shared_memory_is_counted_once_and_private_memory_in_full() -> None:
    family = subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert family.stdout is not None
        assert family.stdout.readline() == b"ready\n"
        mib, private = (size / 2**20 for size in supervision._memory(family.pid)[0])
    finally:
        os.killpg(family.pid, signal.SIGKILL)
        family.communicate()
    assert SHARED_MIB + CHILDREN * OWN_MIB < mib < 2 * SHARED_MIB + CHILDREN * OWN_MIB
    assert CHILDREN * OWN_MIB < private < SHARED_MIB + CHILDREN * OWN_MIB
