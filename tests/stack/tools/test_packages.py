"""Distribution packages: newer suites before the machine's own, verified by apt, unpacked but not installed."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import pytest

from lab.errors import ToolError
from lab.stack.tools import packages
from lab.stack.tools.packages import TEMPLATES, Apt, Suite, relocated, suites

TESTING = Suite("Debian testing", "testing", "http://mirror/debian/")
OWN = Suite("Debian 12")

# A fake apt-get that records its arguments in `log`. With a file `broken`, lists cannot be verified; with `fresh`, the
# machine has its own lists, and its package prometheus contains promtool.
APT_GET = """#!{python}
import pathlib, sys
here = pathlib.Path(__file__).parent
arguments = sys.argv[1:]
with (here / "log").open("a") as log:
    print(*arguments, file=log)
options = dict(text.partition("=")[::2] for flag, text in zip(arguments, arguments[1:]) if flag == "-o")
if "indextargets" in arguments:
    print("http://mirror/debian-security/ bookworm-security main")
    print("http://mirror/debian/ bookworm contrib")
    print("http://mirror/debian/ bookworm main")
elif "update" in arguments:
    sources = options.get("Dir::Etc::sourcelist")
    (here / "sources").write_text(pathlib.Path(sources).read_text() if sources else "own")
    if (here / "broken").exists():
        sys.exit("E: The repository is not signed.")
elif "Dir::State::lists" in options or (here / "fresh").exists():
    package = arguments[-1]
    if package == "promtool" and (here / "fresh").exists():
        sys.exit("E: Unable to locate package promtool")
    pathlib.Path(f"{{package}}_3.5.3%2bds1-6_amd64.deb").write_text("")
else:
    sys.exit("E: Unable to locate package " + arguments[-1])
"""
# A fake dpkg that unpacks the program of the package's name; Debian 12's prometheus contains promtool too.
DPKG = """#!{python}
import pathlib, sys
bin = pathlib.Path(sys.argv[3]) / "usr" / "bin"
bin.mkdir(parents=True, exist_ok=True)
package = pathlib.Path(sys.argv[2]).name.partition("_")[0]
(bin / package).write_text("program")
if package == "prometheus" and (pathlib.Path(__file__).parent / "fresh").exists():
    (bin / "promtool").write_text("program")
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Debian 12 without package lists; returns the directory of its apt-get and dpkg."""
    folder = tmp_path / "path"
    folder.mkdir()
    for name, text in (("apt-get", APT_GET), ("dpkg", DPKG)):
        (folder / name).write_text(text.format(python=sys.executable))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    release = {"NAME": "Debian GNU/Linux", "ID": "debian", "VERSION_ID": "12", "VERSION_CODENAME": "bookworm"}
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: release)
    return folder


def fetch(suite: Suite, folder: Path) -> str:
    apt = Apt(suite, folder / "apt", lambda _: None)
    (folder / "target").mkdir()
    return apt.fetch(("prometheus", "promtool"), ("prometheus", "promtool"), folder / "target")


def test_debian_offers_testing_then_stable_then_its_own_sources_from_the_mirror_in_use(machine: Path) -> None:
    assert [(suite.label, suite.repository) for suite in suites()] == [
        ("Debian testing", "http://mirror/debian/"),
        ("Debian stable", "http://mirror/debian/"),
        ("Debian 12", ""),
    ]


def test_another_distribution_offers_only_its_own_sources(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"NAME": "Ubuntu", "ID": "ubuntu"})
    assert [suite.label for suite in suites()] == ["Ubuntu"]


def test_a_machine_without_apt_offers_no_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert list(suites()) == []


def test_a_newer_suite_uses_private_lists_and_reports_package_and_version(machine: Path, tmp_path: Path) -> None:
    """Only that suite, with the distribution's keyring; the machine's package state does not change."""
    assert fetch(TESTING, tmp_path) == "Debian testing, package prometheus 3.5.3+ds1-6"
    assert {path.name for path in (tmp_path / "target").iterdir()} == {"prometheus", "promtool", "unpacked"}
    sources = (machine / "sources").read_text()
    assert sources.endswith("target=Packages] http://mirror/debian/ testing main\n")
    arguments = (machine / "log").read_text().splitlines()
    assert all(f"Dir::State::lists={tmp_path}" in line for line in arguments)
    assert all("APT::Get::AllowUnauthenticated=false" in line for line in arguments)


def test_the_lists_of_a_suite_are_fetched_once_for_all_products(machine: Path, tmp_path: Path) -> None:
    apt = Apt(TESTING, tmp_path / "apt", lambda _: None)
    for name in ("prometheus", "alertmanager"):
        (tmp_path / name).mkdir()
        apt.fetch((name,), (name,), tmp_path / name)
    assert (machine / "log").read_text().count(" update\n") == 1


def test_a_suite_that_cannot_be_verified_is_refused_once(machine: Path, tmp_path: Path) -> None:
    (machine / "broken").touch()
    apt = Apt(TESTING, tmp_path / "apt", lambda _: None)
    for _ in range(2):
        with pytest.raises(ToolError, match="apt-get: The repository is not signed"):
            apt.fetch(("prometheus",), ("prometheus",), tmp_path)
    assert (machine / "log").read_text().count(" update\n") == 1


def test_the_machines_own_lists_are_used_when_they_have_the_package(machine: Path, tmp_path: Path) -> None:
    (machine / "fresh").touch()
    assert fetch(OWN, tmp_path).startswith("Debian 12, package prometheus")
    assert " update" not in (machine / "log").read_text()


def test_the_machines_own_sources_get_private_lists_when_its_lists_are_missing(machine: Path, tmp_path: Path) -> None:
    fetch(OWN, tmp_path)
    assert (machine / "sources").read_text() == "own"


def test_a_hanging_apt_get_is_a_one_line_error(machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "apt-get").write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    monkeypatch.setattr(packages, "UPDATE_SECONDS", 0.2)
    with pytest.raises(ToolError, match="apt-get did not finish in 0 s"):
        fetch(TESTING, tmp_path)


def test_relocating_the_template_path_keeps_the_length_of_the_binary() -> None:
    """The path inside Debian's Alertmanager becomes a relative one of the same length."""
    moved = relocated(f"abc{TEMPLATES}xyz".encode())
    assert len(moved) == len(f"abc{TEMPLATES}xyz")
    path = moved.removeprefix(b"abc").removesuffix(b"xyz").decode()
    assert not path.startswith("/")
    assert Path(path) == Path()
