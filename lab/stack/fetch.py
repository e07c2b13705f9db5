"""Ways to get a program that is not installed: the official release, or the distribution's package, unpacked only.

Each function leaves executables in the folder it is given, or raises `ToolError` with the reason in a few words.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import platform
import shutil
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from lab.errors import ToolError

ANSWER_SECONDS = 5.0  # a machine that cannot reach the release host falls through quickly
DOWNLOAD_SECONDS = 240.0
PACKAGE_SECONDS = 240.0


@dataclass(frozen=True)
class Product:
    """One upstream project: its pinned release, its distribution packages, and the programs it holds."""

    name: str
    version: str
    programs: tuple[str, ...]
    packages: tuple[str, ...]

    @property
    def release(self) -> str:
        """The folder of the pinned release, without a trailing slash."""
        return f"https://github.com/prometheus/{self.name}/releases/download/v{self.version}"


# Prometheus 3.13 is the long-term-support line. Debian 12 keeps promtool inside `prometheus`; Debian 13 has it apart.
PRODUCTS = (
    Product("prometheus", "3.13.2", ("prometheus", "promtool"), ("prometheus", "promtool")),
    Product("alertmanager", "0.34.0", ("alertmanager", "amtool"), ("prometheus-alertmanager", "amtool")),
)
# What a distribution calls a program, when it is not the upstream name.
OTHER_NAMES = {"alertmanager": ("prometheus-alertmanager",)}


# Debian's Alertmanager reads its templates from here at run time; upstream's has them inside.
TEMPLATES = "/usr/share/prometheus/alertmanager"


def archive_name(product: Product) -> str:
    """The release archive for this machine, e.g. prometheus-3.13.2.linux-amd64.tar.gz."""
    machine = platform.machine().lower()
    architecture = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(machine, machine)
    return f"{product.name}-{product.version}.{platform.system().lower()}-{architecture}.tar.gz"


def _download(url: str, target: Path) -> None:
    """Fetch `url` (https only) into `target`."""
    deadline = time.monotonic() + DOWNLOAD_SECONDS
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer, target.open("wb") as file:  # noqa: S310 -- constant https address
            while chunk := answer.read(1 << 20):
                file.write(chunk)
                if time.monotonic() > deadline:
                    raise ToolError(f"still downloading after {DOWNLOAD_SECONDS:.0f} s")
    except (OSError, urllib.error.URLError) as error:
        raise ToolError(str(getattr(error, "reason", error))) from error


def published_sum(sums: str, archive: str) -> str:
    """The SHA-256 that a sha256sums.txt publishes for `archive`. Raises ToolError when it lists none."""
    for line in sums.splitlines():
        digest, _, name = line.partition(" ")
        if name.strip().lstrip("*") == archive:
            return digest.lower()
    raise ToolError(f"the release has no {archive}")


def unpack_release(archive: Path, programs: tuple[str, ...], target: Path) -> None:
    """Take `programs` alone out of a release archive."""
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            content = tar.extractfile(member) if member.isfile() and name in programs else None
            if content is not None:
                with (target / name).open("wb") as file:
                    shutil.copyfileobj(content, file)
                (target / name).chmod(0o755)


def from_release(product: Product, target: Path) -> None:
    """Download the pinned release and verify it against the sums published with it."""
    archive = archive_name(product)
    sums_file, archive_file = target / "sha256sums.txt", target / archive
    _download(f"{product.release}/sha256sums.txt", sums_file)
    wanted = published_sum(sums_file.read_text(encoding="utf-8"), archive)
    _download(f"{product.release}/{archive}", archive_file)
    with archive_file.open("rb") as file:
        got = hashlib.file_digest(file, "sha256").hexdigest()
    if got != wanted:
        raise ToolError(f"{archive} has SHA-256 {got[:12]}…, published is {wanted[:12]}…: not used")
    unpack_release(archive_file, product.programs, target)
    archive_file.unlink()


def _run(argv: list[str], cwd: Path) -> None:
    """Run a packaging program; its last line is the reason when it fails."""
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=PACKAGE_SECONDS,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{argv[0]} did not finish in {PACKAGE_SECONDS:.0f} s") from error
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
        raise ToolError(f"{argv[0]}: {lines[-1].removeprefix('E: ')}")


def _private_lists(work: Path) -> list[str]:
    """Package lists fetched into `work`, for a machine whose own are absent or old; the options that use them."""
    (work / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (work / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    options = ["-o", f"Dir::State::lists={work / 'lists'}", "-o", f"Dir::Cache={work / 'cache'}"]
    if os.geteuid() == 0:
        options += ["-o", "APT::Sandbox::User=root"]  # the helper user cannot write into our folder
    _run(["apt-get", "-q", *options, "update"], work)
    return options


def from_package(product: Product, target: Path) -> None:
    """Download the distribution's packages and unpack them without installing: no root, no service started."""
    for program in ("apt-get", "dpkg"):
        if shutil.which(program) is None:
            raise ToolError(f"no {program} on this machine")
    main, *extra = product.packages
    options: list[str] = []
    try:
        _run(["apt-get", "-q", "download", main], target)
    except ToolError:
        options = _private_lists(target)
        _run(["apt-get", "-q", *options, "download", main], target)
    unpacked = target / "unpacked"
    for package in target.glob("*.deb"):
        _run(["dpkg", "-x", str(package), str(unpacked)], target)
    bin_dir = unpacked / "usr" / "bin"
    for name in product.programs:
        candidates = (name, *OTHER_NAMES.get(name, ()))
        found = next((bin_dir / candidate for candidate in candidates if (bin_dir / candidate).is_file()), None)
        if found is None:  # a newer distribution ships it as a package of its own
            if name not in extra:
                raise ToolError(f"package {main} holds no {name}")
            _run(["apt-get", "-q", *options, "download", name], target)
            for package in target.glob(f"{name}_*.deb"):
                _run(["dpkg", "-x", str(package), str(unpacked)], target)
            found = bin_dir / name
        (target / name).write_bytes(relocated(found.read_bytes()))
        (target / name).chmod(0o755)
    for template in (unpacked / TEMPLATES.lstrip("/")).glob("*.tmpl"):
        shutil.copy(template, target)


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
