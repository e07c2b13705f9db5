"""Prometheus and its tools: found, or fetched from the first source that works, or reported missing in one line."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lab.errors import ToolError
from lab.paths import home, ports
from lab.stack.health import doctor
from lab.stack.tools import binaries
from lab.stack.tools.binaries import Fetch
from lab.stack.tools.fetch import Product


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any of the programs; returns the directory they are fetched into."""
    monkeypatch.setenv("FLEETOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(binaries, "ROOT", tmp_path / "checkout")
    return tmp_path / "home" / "bin"


def script(folder: Path, name: str, version: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{name}, version {version} (branch: x)'\n")
    path.chmod(0o755)


def provides(version: str, origin: str = "somewhere") -> Fetch:
    def fetch(product: Product, target: Path) -> str:
        for name in product.programs:
            script(target, name, version)
        return origin

    return fetch


def fails(reason: str) -> Fetch:
    def fetch(_product: Product, _target: Path) -> str:
        raise ToolError(reason)

    return fetch


def needs_a_newer_libc(product: Product, target: Path) -> str:
    for name in product.programs:
        (target / name).write_text("#!/bin/sh\necho 'libc.so.6: GLIBC_2.99 not found' >&2\nexit 1\n")
        (target / name).chmod(0o755)
    return "the newest suite"


def offer(monkeypatch: pytest.MonkeyPatch, **sources: Fetch) -> None:
    """Have this machine offer these sources, in this order."""
    labelled = [(label.replace("_", " "), fetch) for label, fetch in sources.items()]
    monkeypatch.setattr(binaries, "_sources", lambda _work, _say: labelled)


def test_a_program_on_path_is_preferred(empty_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PATH has priority over a fetched program, also under Debian's name of Alertmanager."""
    empty_machine.mkdir(parents=True)
    script(empty_machine, "alertmanager", "0.30.0")
    on_path = tmp_path / "path"
    on_path.mkdir()
    script(on_path, "prometheus-alertmanager", "0.28.0")
    monkeypatch.setenv("PATH", str(on_path))
    tool = binaries.find("alertmanager")
    assert tool is not None
    assert (tool.version, tool.source) == ("0.28.0", "PATH")


def test_a_program_that_is_too_old_is_skipped(
    empty_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty_machine.mkdir(parents=True)
    script(empty_machine, "prometheus", "3.13.2")
    on_path = tmp_path / "path"
    on_path.mkdir()
    script(on_path, "prometheus", "2.15.0")
    monkeypatch.setenv("PATH", str(on_path))
    tool = binaries.find("prometheus")
    assert tool is not None
    assert tool.version == "3.13.2"


def test_the_newest_suite_with_a_program_that_runs_here_is_used_and_reported(
    empty_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`fleetops doctor` shows the origin of each program, in this process and in later ones."""
    offer(
        monkeypatch,
        official_release=fails("no route to host"),
        testing=needs_a_newer_libc,
        stable=provides("2.53.3", "Debian stable, package prometheus 2.53.3+ds1-2"),
        own=provides("2.42.0"),
    )
    fetched = binaries.ensure()
    assert {name: tool.version for name, tool in fetched.items()} == dict.fromkeys(binaries.TOOLS, "2.53.3")
    assert all(tool.path.parent == empty_machine for tool in fetched.values())
    findings = {finding.name: finding.found for finding in doctor.examine(home(), ports())}
    assert findings["promtool"].startswith("2.53.3 (Debian stable, package prometheus 2.53.3+ds1-2: ")


def test_a_suite_whose_program_is_too_old_is_skipped(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, testing=provides("2.15.3"), stable=provides("2.42.0"))
    assert binaries.ensure()["prometheus"].version == "2.42.0"


def test_a_failure_is_one_line_that_lists_every_source(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line has the reason of each source and what to do; nothing is left in the directory."""
    offer(monkeypatch, official_release=fails("no route to host"), own=fails("no such package"))
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


def test_two_concurrent_fetches_download_once(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    def fetch(product: Product, target: Path) -> str:
        fetched.append(product.name)
        return provides("3.13.2")(product, target)

    offer(monkeypatch, official_release=fetch)
    both = [threading.Thread(target=binaries.ensure) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sorted(fetched) == ["alertmanager", "prometheus"]
