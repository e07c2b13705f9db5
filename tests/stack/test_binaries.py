"""Prometheus and friends: found, or fetched the first way that works, or refused in one line."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lab.errors import ToolError
from lab.paths import home, ports
from lab.stack.health import doctor
from lab.stack.tools import binaries
from lab.stack.tools.binaries import Way
from lab.stack.tools.fetch import Product


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


def puts(version: str, origin: str = "somewhere") -> Way:
    def way(product: Product, target: Path) -> str:
        for name in product.programs:
            script(target, name, version)
        return origin

    return way


def refuses(reason: str) -> Way:
    def way(_product: Product, _target: Path) -> str:
        raise ToolError(reason)

    return way


def needs_a_newer_libc(product: Product, target: Path) -> str:
    for name in product.programs:
        (target / name).write_text("#!/bin/sh\necho 'libc.so.6: GLIBC_2.99 not found' >&2\nexit 1\n")
        (target / name).chmod(0o755)
    return "the newest suite"


def only(monkeypatch: pytest.MonkeyPatch, **ways: Way) -> None:
    """The ways that this machine offers, from first to last."""
    offered = [(label.replace("_", " "), way) for label, way in ways.items()]
    monkeypatch.setattr(binaries, "_ways", lambda _work, _say: offered)


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


def test_the_newest_suite_that_offers_a_program_that_runs_here_is_used_and_told(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where each program came from is what `fleetops doctor` shows, in this and in later processes."""
    only(
        monkeypatch,
        official_release=refuses("no route to host"),
        testing=needs_a_newer_libc,
        stable=puts("2.53.3", "Debian stable, package prometheus 2.53.3+ds1-2"),
        own=puts("2.42.0"),
    )
    found = binaries.ensure()
    assert {name: program.version for name, program in found.items()} == dict.fromkeys(binaries.TOOLS, "2.53.3")
    assert all(program.path.parent == empty_machine for program in found.values())
    told = {finding.name: finding.found for finding in doctor.examine(home(), ports())}
    assert told["promtool"].startswith("2.53.3 (Debian stable, package prometheus 2.53.3+ds1-2: ")


def test_a_suite_whose_program_is_too_old_is_passed_over(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, testing=puts("2.15.3"), stable=puts("2.42.0"))
    assert binaries.ensure()["prometheus"].version == "2.42.0"


def test_a_failure_is_one_line_that_tells_what_was_tried(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way is named with its reason, and so is what to do; nothing is left in the folder."""
    only(monkeypatch, official_release=refuses("no route to host"), own=refuses("no such package"))
    with pytest.raises(ToolError) as refused:
        binaries.ensure()
    line = str(refused.value)
    assert "\n" not in line
    for part in (
        "not on PATH",
        "official release: no route to host",
        "own: no such package",
        str(empty_machine),
        "Install",
    ):
        assert part in line
    assert [path.name for path in empty_machine.iterdir()] == [".lock"]


def test_two_at_once_fetch_once(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    def way(product: Product, target: Path) -> str:
        fetched.append(product.name)
        return puts("3.13.2")(product, target)

    only(monkeypatch, official_release=way)
    both = [threading.Thread(target=binaries.ensure) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sorted(fetched) == ["alertmanager", "prometheus"]
