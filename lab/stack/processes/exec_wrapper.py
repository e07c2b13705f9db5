"""The exec wrapper: start one program that cannot outlive its parent. `python exec_wrapper.py SPEC.json`.

The specification is a JSON object: argv (list), env (added to the environment), cwd, user (to run as, or null),
death_signal (number of the signal that the kernel sends when the parent dies, 0 for none), starts (a file that gets one
line, the time, per start; or null).

It runs before every process of the lab, so it uses only the standard library and then executes the program in its
place. The death signal exists on Linux only; elsewhere, `fleetops up` and `fleetops down` find leftovers by their
environment.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
import time

PR_SET_PDEATHSIG = 1


def drop_to(user: str) -> None:
    """Run as `user` from now on. This clears the death signal, so that is set afterwards."""
    import pwd

    entry = pwd.getpwnam(user)
    if entry.pw_uid == os.geteuid():
        return
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.environ["HOME"] = entry.pw_dir


def die_with_parent(signal_number: int, parent: int) -> None:
    """Let the kernel send `signal_number` to this process when the parent dies; exit if it is dead already."""
    if not sys.platform.startswith("linux") or not signal_number:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) was refused")
    if os.getppid() != parent:
        sys.exit(1)


def count_start(path: str) -> None:
    """Add a line to the starts file. On a full disk, the start matters more than its count."""
    with contextlib.suppress(OSError), open(path, "a", encoding="utf-8") as file:  # noqa: PTH123 -- as in main
        file.write(f"{time.time():.3f}\n")


def main(spec_file: str) -> None:
    """Execute the program that `spec_file` describes."""
    parent = os.getppid()
    with open(spec_file, encoding="utf-8") as file:  # noqa: PTH123 -- importing pathlib doubles this program's start
        spec = json.load(file)
    if spec["starts"]:
        count_start(spec["starts"])
    os.chdir(spec["cwd"])
    if spec["user"]:
        drop_to(spec["user"])
    die_with_parent(spec["death_signal"], parent)
    argv = spec["argv"]
    os.execve(argv[0], argv, {**os.environ, **spec["env"]})  # noqa: S606 -- an argument list, no shell


if __name__ == "__main__":
    main(sys.argv[1])
