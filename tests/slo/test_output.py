"""`--out` replaces regular files only, atomically, and preserves their mode and owner."""

from __future__ import annotations

import os
import resource
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.atomic_write import write_json, write_text
from lab.errors import SpecError
from lab.slo.generate import write_output

TEXT = "groups:\n" + "- a\n" * 50_000
SPEC = """\
version: prometheus/v1
service: tollgate
slos:
  - {name: ab, objective: 99.9, sli: {raw: {error_ratio_query: 'avg_over_time(x[{{.window}}])'}}, alerting: {name: A}}
"""


def run(folder: Path, *options: str, shell: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run the command in its own process, because the tests redirect its descriptors."""
    (folder / "spec.yml").write_text(SPEC)
    program = f"{sys.executable} -c 'from lab.cli.main import main; main()' slo generate --spec {folder / 'spec.yml'}"
    line = f"{program} {' '.join(options)} {shell}"
    return subprocess.run(["bash", "-c", line], capture_output=True, check=False, timeout=120)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_gets_its_mode_less_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "in" / "a" / "new" / "folder", TEXT)
        write_text(tmp_path / "secret", TEXT, mode=0o600)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "in" / "a" / "new" / "folder").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755, 0o4755])
def test_an_existing_file_keeps_its_mode(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text("old")
    path.chmod(mode)
    write_text(path, TEXT)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (TEXT, mode)
    assert names(tmp_path) == ["rules.yml"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_an_existing_file_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text("old")
    os.chown(path, 12345, 54321)
    path.chmod(0o640)
    write_text(path, TEXT)
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 54321, 0o640)


@pytest.mark.parametrize("links", [("real/rules.yml",), ("b", "c", "real/rules.yml"), ("../NAME/real/rules.yml",)])
@pytest.mark.parametrize("exists", [True, False])
def test_a_symlink_stays_and_its_target_is_updated(links: tuple[str, ...], exists: bool, tmp_path: Path) -> None:
    """Through any number of links, also when the target is new."""
    real = tmp_path / "real" / "rules.yml"
    real.parent.mkdir()
    if exists:
        real.write_text("old")
        real.chmod(0o640)
    for name, target in zip("abc", links, strict=False):
        (tmp_path / name).symlink_to(target.replace("NAME", tmp_path.name))
    write_text(tmp_path / "a", TEXT)
    assert real.read_text() == TEXT
    assert not exists or stat.S_IMODE(real.stat().st_mode) == 0o640
    assert all((tmp_path / name).is_symlink() for name, _ in zip("abc", links, strict=False))
    assert names(real.parent) == ["rules.yml"]


@pytest.mark.parametrize("old", ["old", "old and longer " * 1000])
def test_every_name_of_a_file_with_two_hard_links_shows_the_new_content(tmp_path: Path, old: str) -> None:
    (tmp_path / "a").write_text(old)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    write_text(tmp_path / "a", TEXT)
    assert (tmp_path / "b").read_text() == TEXT
    assert names(tmp_path) == ["a", "b"]


def test_a_loop_of_symlinks_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(SpecError, match="a: cannot be written: Too many levels of symbolic links"):
        write_output(tmp_path / "a", TEXT)
    assert names(tmp_path) == ["a", "b"]


@contextmanager
def reader(path: Path) -> Iterator[list[bytes]]:
    """Read a pipe to its end in a thread."""
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(path.read_bytes()), daemon=True)
    thread.start()
    yield got
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_stays_and_its_reader_gets_the_text(linked: bool, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to("pipe")
    with reader(pipe) as got:
        write_text(tmp_path / "link" if linked else pipe, TEXT)
    assert got == [TEXT.encode()]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert names(tmp_path) == ["link", "pipe"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may create devices")
def test_a_device_stays_a_device(tmp_path: Path) -> None:
    """A separate node with the device numbers of /dev/null, never /dev/null itself."""
    node = tmp_path / "node"
    try:
        os.mknod(node, 0o622 | stat.S_IFCHR, os.makedev(1, 3))
        write_text(node, TEXT)
    except PermissionError:
        pytest.skip("not permitted to create or open devices here")
    assert stat.S_ISCHR(node.stat().st_mode)
    assert names(tmp_path) == ["node"]


def test_a_socket_and_a_folder_are_refused_and_stay(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        with pytest.raises(SpecError, match="socket: cannot be written: No such device or address"):
            write_output(tmp_path / "socket", TEXT)
        (tmp_path / "folder").mkdir()
        with pytest.raises(SpecError, match="folder: cannot be written: Is a directory"):
            write_output(tmp_path / "folder", TEXT)
        assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)
    assert names(tmp_path) == ["folder", "socket"]


@pytest.mark.promtool
@pytest.mark.parametrize("shell", ["| cat", "> FOLDER/file; cat FOLDER/file", ">> FOLDER/file; cat FOLDER/file"])
def test_a_path_to_standard_output_is_written_to(shell: str, tmp_path: Path) -> None:
    """A symlink to /proc/self/fd/1, which may be a pipe or a file; a file that is appended to keeps its content."""
    (tmp_path / "out").symlink_to("/proc/self/fd/1")
    (tmp_path / "file").write_text("# before\n")
    inode = (tmp_path / "file").stat().st_ino
    printed = run(tmp_path).stdout
    result = run(tmp_path, "--out", str(tmp_path / "out"), shell=shell.replace("FOLDER", str(tmp_path)))
    before = b"# before\n" if ">>" in shell else b""
    assert result.stdout == before + printed, result.stderr
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "file").stat().st_ino == inode
    assert names(tmp_path) == ["file", "out", "spec.yml"]


def test_standard_output_that_is_a_socket_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/proc/self/fd/1")
    ours, theirs = socket.socketpair()
    code = (
        "import sys; from pathlib import Path; from lab.atomic_write import write_text; "
        "write_text(Path(sys.argv[1]), 'a')"
    )
    with ours, theirs:
        arguments = [sys.executable, "-c", code, str(tmp_path / "out")]
        subprocess.run(arguments, stdout=theirs.fileno(), check=True, timeout=60)
        assert ours.recv(10) == b"a"


@pytest.mark.promtool
@pytest.mark.parametrize("kind", ["itself", "symlink", "hard link", "another path"])
def test_the_spec_is_not_overwritten_by_its_rules(kind: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yml").write_text(SPEC)
    out = {"itself": "spec.yml", "symlink": "link", "hard link": "hard", "another path": "folder/../spec.yml"}[kind]
    (tmp_path / "folder").mkdir()
    if kind == "symlink":
        (tmp_path / "link").symlink_to("spec.yml")
    if kind == "hard link":
        (tmp_path / "hard").hardlink_to(tmp_path / "spec.yml")
    before = names(tmp_path)
    result = run(tmp_path, "--out", str(tmp_path / out))
    assert result.returncode == 2
    assert b"from which the rules are generated; write them to another file" in result.stderr
    assert (tmp_path / "spec.yml").read_text() == SPEC
    assert names(tmp_path) == before


def test_the_windows_are_not_overwritten_either(tmp_path: Path) -> None:
    (tmp_path / "windows.yml").write_text("a")
    with pytest.raises(SpecError, match="from which the rules are generated"):
        write_output(tmp_path / "windows.yml", TEXT, inputs=[tmp_path / "spec.yml", tmp_path / "windows.yml"])


def test_a_failed_write_leaves_the_old_file_and_no_temporary_file(tmp_path: Path) -> None:
    """A file size limit stands in for a full disk."""
    (tmp_path / "rules.yml").write_text("old")
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        for name in ("rules.yml", "new.yml"):
            with pytest.raises(SpecError, match=f"{name}: cannot be written: File too large"):
                write_output(tmp_path / name, TEXT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "rules.yml").read_text() == "old"
    assert names(tmp_path) == ["rules.yml"]


def test_a_file_name_of_maximum_length_is_written(tmp_path: Path) -> None:
    write_text(tmp_path / ("a" * 255), TEXT)
    assert names(tmp_path) == ["a" * 255]


def test_a_value_that_is_not_json_leaves_the_old_file(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})
    assert (tmp_path / "a.json").read_text() == '{\n "a": 1\n}\n'
    assert names(tmp_path) == ["a.json"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write read-only files")
def test_a_read_only_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text("old")
    (tmp_path / "rules.yml").chmod(0o444)
    with pytest.raises(SpecError, match="cannot be written: Permission denied"):
        write_output(tmp_path / "rules.yml", TEXT)
    assert (tmp_path / "rules.yml").read_text() == "old"
