"""The pinned official releases of Prometheus and Alertmanager: download, verify, unpack.

`python -m lab.stack.tools.fetch` (`make sums`) writes the checksums that the repository keeps, after a version changed.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.errors import ToolError

ANSWER_SECONDS = 5.0  # a machine that cannot reach the release host falls through quickly
DOWNLOAD_SECONDS = 240.0
PLATFORMS = ("linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64")
# What the archives must hash to. Kept here, because a checksum from the release's own host proves only the transfer.
KEPT_SUMS = Path(__file__).with_name("sha256sums.txt")

Say = Callable[[str], None]


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

    def archive(self, platform_name: str) -> str:
        """The release archive for a platform, e.g. prometheus-3.13.2.linux-amd64.tar.gz."""
        return f"{self.name}-{self.version}.{platform_name}.tar.gz"


# Prometheus 3.13 is the long-term-support line. Debian 12 keeps promtool inside `prometheus`; Debian 13 has it apart.
PRODUCTS = (
    Product("prometheus", "3.13.2", ("prometheus", "promtool"), ("prometheus", "promtool")),
    Product("alertmanager", "0.34.0", ("alertmanager", "amtool"), ("prometheus-alertmanager", "amtool")),
)


def this_platform() -> str:
    """This machine as the releases name it, e.g. linux-amd64."""
    machine = platform.machine().lower()
    architecture = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(machine, machine)
    return f"{platform.system().lower()}-{architecture}"


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


def sum_of(sums: str, archive: str) -> str | None:
    """The SHA-256 that a sha256sums.txt lists for `archive`, or None."""
    for line in sums.splitlines():
        digest, _, name = line.partition(" ")
        if name.strip().lstrip("*") == archive:
            return digest.lower()
    return None


def _wanted_sum(product: Product, archive: str, work: Path, say: Say) -> str:
    """The SHA-256 kept in the repository, else the published one. Raises ToolError when neither lists the archive."""
    if kept := sum_of(KEPT_SUMS.read_text(encoding="utf-8"), archive):
        return kept
    published = sum_of(_published(product, work), archive)
    if published is None:
        raise ToolError(f"the release has no {archive}")
    say(f"{archive}: no checksum is kept in {KEPT_SUMS.name}; verifying against the one published beside the release")
    return published


def _published(product: Product, work: Path) -> str:
    file = work / "published.txt"
    _download(f"{product.release}/sha256sums.txt", file)
    return file.read_text(encoding="utf-8")


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


def from_release(product: Product, target: Path, say: Say) -> str:
    """Download the pinned release, verify it, unpack its programs; returns where they came from. Raises ToolError."""
    archive = product.archive(this_platform())
    file = target / archive
    wanted = _wanted_sum(product, archive, target, say)
    _download(f"{product.release}/{archive}", file)
    with file.open("rb") as content:
        got = hashlib.file_digest(content, "sha256").hexdigest()
    if got != wanted:
        raise ToolError(f"{archive} has SHA-256 {got[:12]}…, expected {wanted[:12]}…: not used")
    unpack_release(file, product.programs, target)
    file.unlink()
    return f"official release {product.version}"


def keep_sums() -> str:
    """Write the checksums published for the pinned versions into KEPT_SUMS; returns the text. Raises ToolError.

    A checksum that was kept before and differs from the published one is refused: a release never changes.
    """
    before = KEPT_SUMS.read_text(encoding="utf-8")
    lines = [line for line in before.splitlines() if line.startswith("#")]
    for product in PRODUCTS:
        with tempfile.TemporaryDirectory() as work:
            published = _published(product, Path(work))
        for archive in map(product.archive, PLATFORMS):
            digest, kept = sum_of(published, archive), sum_of(before, archive)
            if digest is None:
                continue
            if kept not in (None, digest):
                raise ToolError(f"{archive}: published SHA-256 {digest} is not the kept {kept}; nothing was changed")
            lines.append(f"{digest}  {archive}")
    text = "\n".join(lines) + "\n"
    KEPT_SUMS.write_text(text, encoding="utf-8")
    return text


def main() -> None:
    """`python -m lab.stack.tools.fetch`: keep the checksums of the pinned versions."""
    try:
        sys.stdout.write(keep_sums())
    except ToolError as error:
        sys.stderr.write(f"fleetops: {error}\n")
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
