"""Prometheus and friends: found, or fetched the first way that works, or refused in one line."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.errors import ToolError
from lab.stack import binaries, fetch
from lab.stack.fetch import PRODUCTS, Product, archive_name, published_sum, relocated

PROMETHEUS = PRODUCTS[0]


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any of the programs; the folder they are fetched into."""
    monkeypatch.setenv("FLEETOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(binaries, "ROOT", tmp_path / "checkout")
    return tmp_path / "home" / "bin"


def script(folder: Path, name: str, version: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{name}, version {version} (branch: x)'\n")
    path.chmod(0o755)


def puts(version: str) -> Callable[[Product, Path], None]:
    def way(product: Product, target: Path) -> None:
        for name in product.programs:
            script(target, name, version)

    return way


def refuses(reason: str) -> Callable[[Product, Path], None]:
    def way(_product: Product, _target: Path) -> None:
        raise ToolError(reason)

    return way


def test_a_program_on_path_comes_first(empty_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PATH wins over what was fetched before, also under Debian's name for Alertmanager."""
    empty_machine.mkdir(parents=True)
    script(empty_machine, "alertmanager", "0.30.0")
    on_path = tmp_path / "path"
    on_path.mkdir()
    script(on_path, "prometheus-alertmanager", "0.28.0")
    monkeypatch.setenv("PATH", str(on_path))
    found = binaries.find("alertmanager")
    assert found is not None
    assert (found.version, found.source) == ("0.28.0", "PATH")


def test_a_program_that_is_too_old_is_passed_over(
    empty_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty_machine.mkdir(parents=True)
    script(empty_machine, "prometheus", "3.13.2")
    on_path = tmp_path / "path"
    on_path.mkdir()
    script(on_path, "prometheus", "2.15.0")
    monkeypatch.setenv("PATH", str(on_path))
    found = binaries.find("prometheus")
    assert found is not None
    assert found.version == "3.13.2"


def test_the_package_is_used_when_the_release_cannot_be_had(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "from_release", refuses("no route to host"))
    monkeypatch.setattr(binaries, "from_package", puts("2.53.0"))
    found = binaries.ensure()
    assert {name: program.version for name, program in found.items()} == dict.fromkeys(binaries.TOOLS, "2.53.0")
    assert all(program.path.parent == empty_machine for program in found.values())


def test_a_failure_is_one_line_that_tells_what_was_tried(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way is named with its reason, and so is what to do; nothing is left in the folder."""
    monkeypatch.setattr(binaries, "from_release", refuses("no route to host"))
    monkeypatch.setattr(binaries, "from_package", refuses("no apt-get on this machine"))
    with pytest.raises(ToolError) as refused:
        binaries.ensure()
    line = str(refused.value)
    assert "\n" not in line
    for part in (
        "not on PATH",
        "official release 3.13.2: no route to host",
        "no apt-get",
        str(empty_machine),
        "Install",
    ):
        assert part in line
    assert [path.name for path in empty_machine.iterdir()] == [".lock"]


def test_two_at_once_fetch_once(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    def way(product: Product, target: Path) -> None:
        fetched.append(product.name)
        puts("3.13.2")(product, target)

    monkeypatch.setattr(binaries, "from_release", way)
    both = [threading.Thread(target=binaries.ensure) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sorted(fetched) == ["alertmanager", "prometheus"]


def release(monkeypatch: pytest.MonkeyPatch, digest: str | None = None) -> None:
    """A release host with one archive of Prometheus and its published sums."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name in ("prometheus", "promtool", "LICENSE"):
            content = f"#!/bin/sh\necho '{name}, version 3.13.2'\n".encode()
            member = tarfile.TarInfo(f"prometheus-3.13.2.linux-amd64/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    data = archive.getvalue()
    name = archive_name(PROMETHEUS)
    sums = f"{'0' * 64}  another.tar.gz\n{digest or hashlib.sha256(data).hexdigest()}  {name}\n"

    def download(url: str, target: Path) -> None:
        assert url.startswith(PROMETHEUS.release)
        target.write_bytes(sums.encode() if url.endswith("sha256sums.txt") else data)

    monkeypatch.setattr(fetch, "_download", download)


def test_a_release_is_unpacked_when_its_sum_is_the_published_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(monkeypatch)
    fetch.from_release(PROMETHEUS, tmp_path)
    assert binaries.version_of(tmp_path / "promtool") == "3.13.2"
    assert not (tmp_path / "LICENSE").exists()


def test_a_release_with_another_sum_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release(monkeypatch, digest="1" * 64)
    with pytest.raises(ToolError, match="SHA-256"):
        fetch.from_release(PROMETHEUS, tmp_path)
    assert not (tmp_path / "prometheus").exists()


def test_an_archive_without_a_published_sum_is_refused() -> None:
    with pytest.raises(ToolError, match="has no mine"):
        published_sum("00  other.tar.gz\n", "mine.tar.gz")


def test_moving_a_program_off_its_template_folder_changes_no_length() -> None:
    """The path inside Debian's Alertmanager becomes a relative one of the same length."""
    moved = relocated(b"abc/usr/share/prometheus/alertmanagerxyz")
    assert len(moved) == len(b"abc/usr/share/prometheus/alertmanagerxyz")
    path = moved.removeprefix(b"abc").removesuffix(b"xyz").decode()
    assert not path.startswith("/")
    assert Path(path) == Path()
