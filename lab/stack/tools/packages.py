"""Programs from distribution packages, unpacked but not installed: the newest suite first, then older ones.

apt-get runs with private directories: it verifies the signed Release of the suite, the package index and the package.
The machine's package state does not change, and no root is needed.
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
# From newest to oldest, before the machine's own sources.
NEWER_SUITES = {"debian": ("testing", "stable")}
KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp")
# Debian's names of programs, where they differ from upstream.
OTHER_NAMES = {"alertmanager": ("prometheus-alertmanager",)}
# Debian's Alertmanager reads its templates from this directory; upstream's has them built in.
TEMPLATES = "/usr/share/prometheus/alertmanager"
OPTIONS = (
    "APT::Update::Error-Mode=any",  # by default, an unreachable mirror is only a warning
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
    """A source of packages. An empty `repository` stands for the machine's own apt sources."""

    label: str
    name: str = ""
    repository: str = ""


def suites() -> Iterator[Suite]:
    """The suites for this machine, from newest to oldest; none without apt."""
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
    """The mirror of the distribution's main archive in this machine's sources; "" if there is none."""
    try:
        targets = _run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"], 30
        )
    except ToolError:
        return ""
    for line in targets.splitlines():
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
        self._private: ToolError | bool = False  # whether private lists are in use, or the error of fetching them

    def fetch(self, packages: tuple[str, ...], programs: tuple[str, ...], target: Path) -> str:
        """Put `programs` and their templates into `target`; returns their origin as text. Raises ToolError.

        `packages` starts with the main package, followed by those that only some suites have separately.
        """
        if self.suite.repository:
            self._private_lists()
        main, *separate = packages
        unpacked = target / "unpacked"
        version = self._unpack(main, unpacked)
        for name in programs:
            if _find(unpacked, name) is None and name in separate:
                self._unpack(name, unpacked)
            program = _find(unpacked, name)
            if program is None:
                raise ToolError(f"package {main} does not contain {name}")
            (target / name).write_bytes(relocated(program.read_bytes()))
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
            self._private_lists()  # the machine's own lists are missing or old
            self._download(package, downloads)
        archive = next(downloads.glob("*.deb"), None)
        if archive is None:
            raise ToolError(f"apt-get did not download {package}")
        _run(["dpkg", "-x", str(archive), str(into)], DOWNLOAD_SECONDS)
        return unquote(archive.name.split("_")[1])

    def _download(self, package: str, into: Path) -> None:
        _run(["apt-get", "-q", *self._options, "download", package], DOWNLOAD_SECONDS, into)

    def _private_lists(self) -> None:
        """Fetch private package lists once, and use them from now on."""
        if isinstance(self._private, ToolError):
            raise self._private
        if self._private:
            return
        lists, cache, sources = (self._folder / name for name in ("lists", "cache", "sources.list"))
        for folder in (lists, cache / "archives"):
            (folder / "partial").mkdir(parents=True, exist_ok=True)
        private = [f"Dir::State::lists={lists}", f"Dir::Cache={cache}"]
        if os.geteuid() == 0:
            private.append("APT::Sandbox::User=root")  # apt's sandbox user cannot write to our directory
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
    """Run a packaging program; returns its output. ToolError has its first error line."""
    try:
        result = subprocess.run(
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
    if result.returncode != 0:
        lines = (result.stderr or result.stdout).strip().splitlines() or [f"exit status {result.returncode}"]
        reason = next((line for line in lines if line.startswith("E: ")), lines[-1])
        raise ToolError(f"{argv[0]}: {reason.removeprefix('E: ')}")
    return result.stdout


def relocated(program: bytes) -> bytes:
    """The binary of a distribution's program, changed to read its templates from its working directory.

    The template path is replaced by an equally long relative path ("./././"), so that no offset changes.
    """
    return program.replace(TEMPLATES.encode(), (b"./" * len(TEMPLATES))[: len(TEMPLATES)])


def lacks_shared_files(path: Path) -> bool:
    """Whether this is a distribution's Alertmanager whose templates are missing, so that it cannot start."""
    if Path(TEMPLATES).is_dir():
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(TEMPLATES.encode()) >= 0
