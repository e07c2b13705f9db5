"""Distribution packages, unpacked but not installed: the newest suite first, then older ones.

apt does the work in private folders: it verifies the suite's signed Release, the package index against it, and the
package against the index. Nothing of the machine's own package state changes, and no root is needed.
"""

from __future__ import annotations

import mmap
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from lab.errors import ToolError

UPDATE_SECONDS = 120.0
DOWNLOAD_SECONDS = 180.0
# From newest to oldest, tried before the machine's own sources.
NEWER_SUITES = {"debian": ("testing", "stable")}
KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp")
# What Debian calls a program, when it is not the upstream name.
OTHER_NAMES = {"alertmanager": ("prometheus-alertmanager",)}
# Debian's Alertmanager reads its templates from here at run time; upstream's has them built in.
TEMPLATES = "/usr/share/prometheus/alertmanager"
OPTIONS = (
    "APT::Update::Error-Mode=any",  # otherwise an unreachable mirror is only a warning
    "APT::Get::AllowUnauthenticated=false",
    "Acquire::AllowInsecureRepositories=false",
    "Acquire::Languages=none",
    "Acquire::Retries=1",
    "Acquire::http::Timeout=10",
    "Acquire::https::Timeout=10",
)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Suite:
    """Where packages come from. An empty `repository` means the machine's own apt sources."""

    label: str
    name: str = ""
    repository: str = ""


def suites() -> Iterator[Suite]:
    """The suites to try on this machine, from newest to oldest. Empty without apt."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        return
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    distribution = release.get("NAME", "the distribution").removesuffix(" GNU/Linux")
    newer = NEWER_SUITES.get(release.get("ID", ""), ())
    if newer and (repository := _repository(release.get("VERSION_CODENAME", ""))):
        for name in newer:
            yield Suite(f"{distribution} {name}", name, repository)
    yield Suite(f"{distribution} {release.get('VERSION_ID', '')}".rstrip())


def _repository(codename: str) -> str:
    """The mirror that this machine's sources use for the distribution's main archive; "" if there is none."""
    try:
        listed = _run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"], 30
        )
    except ToolError:
        return ""
    for line in listed.splitlines():
        uri, _, rest = line.partition(" ")
        if rest == f"{codename} main":
            return uri
    return ""


class Apt:
    """apt-get for one suite, with its lists, sources and cache in `folder`."""

    def __init__(self, suite: Suite, folder: Path, say: Say) -> None:
        self.suite = suite
        self._folder = folder
        self._say = say
        self._options = [part for option in OPTIONS for part in ("-o", option)]
        self._private: ToolError | bool = False  # whether our own lists are in use; why they cannot be had

    def fetch(self, packages: tuple[str, ...], programs: tuple[str, ...], target: Path) -> str:
        """Put `programs` into `target`, with the templates they need; returns where they came from.

        `packages` names the main package first, then those that some suites keep apart. Raises ToolError.
        """
        if self.suite.repository:
            self._private_lists()
        main, *apart = packages
        unpacked = target / "unpacked"
        version = self._unpack(main, unpacked)
        for name in programs:
            if _find(unpacked, name) is None and name in apart:
                self._unpack(name, unpacked)
            found = _find(unpacked, name)
            if found is None:
                raise ToolError(f"package {main} holds no {name}")
            (target / name).write_bytes(relocated(found.read_bytes()))
            (target / name).chmod(0o755)
        for template in (unpacked / TEMPLATES.lstrip("/")).glob("*.tmpl"):
            shutil.copy(template, target)
        return f"{self.suite.label}, package {main} {version}"

    def _unpack(self, package: str, into: Path) -> str:
        """Download and unpack a package; returns its version."""
        self._say(f"{self.suite.label}: package {package}")
        downloads = self._folder / "packages" / package
        downloads.mkdir(parents=True, exist_ok=True)
        try:
            self._download(package, downloads)
        except ToolError:
            if self._private is True:
                raise
            self._private_lists()  # this machine's own lists are absent or old
            self._download(package, downloads)
        archive = next(downloads.glob("*.deb"), None)
        if archive is None:
            raise ToolError(f"apt-get downloaded no {package}")
        _run(["dpkg", "-x", str(archive), str(into)], DOWNLOAD_SECONDS)
        return unquote(archive.name.split("_")[1])

    def _download(self, package: str, into: Path) -> None:
        _run(["apt-get", "-q", *self._options, "download", package], DOWNLOAD_SECONDS, into)

    def _private_lists(self) -> None:
        """Fetch the package lists into our own folder, once, and use them from now on."""
        if isinstance(self._private, ToolError):
            raise self._private
        if self._private:
            return
        lists, cache, sources = (self._folder / name for name in ("lists", "cache", "sources.list"))
        for folder in (lists, cache / "archives"):
            (folder / "partial").mkdir(parents=True, exist_ok=True)
        private = [f"Dir::State::lists={lists}", f"Dir::Cache={cache}"]
        if os.geteuid() == 0:
            private.append("APT::Sandbox::User=root")  # apt's own user cannot write into our folder
        if self.suite.repository:
            keyring = next((f"signed-by={path} " for path in KEYRINGS if Path(path).is_file()), "")
            line = f"deb [{keyring}target=Packages] {self.suite.repository} {self.suite.name} main\n"
            sources.write_text(line, encoding="utf-8")
            private += [f"Dir::Etc::sourcelist={sources}", "Dir::Etc::sourceparts=-"]
            private += ["Dir::Etc::preferences=-", "Dir::Etc::preferencesparts=-", "APT::Default-Release="]
        self._options += [part for option in private for part in ("-o", option)]
        self._say(f"{self.suite.label}: package lists")
        try:
            _run(["apt-get", "-q", *self._options, "update"], UPDATE_SECONDS)
        except ToolError as error:
            self._private = error
            raise
        self._private = True


def _find(unpacked: Path, program: str) -> Path | None:
    names = (program, *OTHER_NAMES.get(program, ()))
    paths = (unpacked / "usr" / "bin" / name for name in names)
    return next((path for path in paths if path.is_file()), None)


def _run(argv: list[str], seconds: float, cwd: Path | None = None) -> str:
    """What a packaging program prints. Raises ToolError with its first error line."""
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{argv[0]} did not finish in {seconds:.0f} s") from error
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
        reason = next((line for line in lines if line.startswith("E: ")), lines[-1])
        raise ToolError(f"{argv[0]}: {reason.removeprefix('E: ')}")
    return done.stdout


def relocated(program: bytes) -> bytes:
    """A distribution's program that looks for its templates in its working directory, not where an install puts them.

    The folder's name is replaced by an equally long relative one ("./././"), so nothing else in the program moves.
    """
    return program.replace(TEMPLATES.encode(), (b"./" * len(TEMPLATES))[: len(TEMPLATES)])


def lacks_shared_files(path: Path) -> bool:
    """Whether a distribution's Alertmanager was unpacked without its templates, and so could not start."""
    if Path(TEMPLATES).is_dir():
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(TEMPLATES.encode()) >= 0
