"""The pinned official releases of Prometheus and Alertmanager: download, verify, unpack.

`python -m lab.stack.tools.fetch` (`make sums`) updates the checksums in the repository after a version change.
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

from lab.atomic_write import write_text
from lab.errors import ToolError

ANSWER_SECONDS = 5.0  # short, so that an offline machine tries the next source soon
DOWNLOAD_SECONDS = 240.0
PLATFORMS = ("linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64")
# The expected checksums. A checksum from the release's own host would verify the transfer only.
KEPT_SUMS = Path(__file__).with_name("sha256sums.txt")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Product:
    """One upstream project: its pinned version, its programs, and its distribution packages."""

    name: str
    version: str
    programs: tuple[str, ...]
    packages: tuple[str, ...]

    @property
    def release(self) -> str:
        """The URL of the pinned release, without a trailing slash."""
        return f"https://github.com/prometheus/{self.name}/releases/download/v{self.version}"

    def archive(self, platform_name: str) -> str:
        """The name of the release archive for a platform, e.g. prometheus-3.13.2.linux-amd64.tar.gz."""
        return f"{self.name}-{self.version}.{platform_name}.tar.gz"


# Prometheus 3.13 is a long-term support release. promtool is in the package prometheus on Debian 12, separate on 13.
PRODUCTS = (
    Product("prometheus", "3.13.2", ("prometheus", "promtool"), ("prometheus", "promtool")),
    Product("alertmanager", "0.34.0", ("alertmanager", "amtool"), ("prometheus-alertmanager", "amtool")),
)


def this_platform() -> str:
    """This machine's platform in release names, e.g. linux-amd64."""
    machine = platform.machine().lower()
    architecture = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(machine, machine)
    return f"{platform.system().lower()}-{architecture}"


def _download(url: str, target: Path) -> None:
    """Download `url` (https only) to `target`. Raises ToolError."""
    deadline = time.monotonic() + DOWNLOAD_SECONDS
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as response, target.open("wb") as file:  # noqa: S310 -- https only
            while chunk := response.read(1 << 20):
                file.write(chunk)
                if time.monotonic() > deadline:
                    raise ToolError(f"still downloading after {DOWNLOAD_SECONDS:.0f} s")
    except (OSError, urllib.error.URLError) as error:
        raise ToolError(str(getattr(error, "reason", error))) from error


def sum_of(sums: str, archive: str) -> str | None:
    """The SHA-256 of `archive` in the text of a sha256sums.txt, or None."""
    for line in sums.splitlines():
        digest, _, name = line.partition(" ")
        if name.strip().lstrip("*") == archive:
            return digest.lower()
    return None


def _expected_sum(product: Product, archive: str, work: Path, say: Say) -> str:
    """The SHA-256 in the repository, else the published one. Raises ToolError when the archive has neither."""
    if kept := sum_of(KEPT_SUMS.read_text(encoding="utf-8"), archive):
        return kept
    published = sum_of(_published(product, work), archive)
    if published is None:
        raise ToolError(f"the release has no {archive}")
    say(f"{archive}: no checksum in {KEPT_SUMS.name}; verifying against the one published with the release")
    return published


def _published(product: Product, work: Path) -> str:
    file = work / "published.txt"
    _download(f"{product.release}/sha256sums.txt", file)
    return file.read_text(encoding="utf-8")


def unpack_release(archive: Path, programs: tuple[str, ...], target: Path) -> None:
    """Extract only `programs` from a release archive into `target`."""
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            content = tar.extractfile(member) if member.isfile() and name in programs else None
            if content is not None:
                with (target / name).open("wb") as file:
                    shutil.copyfileobj(content, file)
                (target / name).chmod(0o755)


def from_release(product: Product, target: Path, say: Say) -> str:
    """Download, verify and unpack the pinned release; returns its origin as text. Raises ToolError."""
    archive = product.archive(this_platform())
    file = target / archive
    expected = _expected_sum(product, archive, target, say)
    _download(f"{product.release}/{archive}", file)
    with file.open("rb") as content:
        actual = hashlib.file_digest(content, "sha256").hexdigest()
    if actual != expected:
        raise ToolError(f"{archive} has SHA-256 {actual[:12]}…, expected {expected[:12]}…: not used")
    unpack_release(file, product.programs, target)
    file.unlink()
    return f"official release {product.version}"


def keep_sums() -> str:
    """Write the published checksums of the pinned versions to KEPT_SUMS; returns the text.

    Raises ToolError, also when a published checksum differs from the one in the repository: releases never change.
    """
    before = KEPT_SUMS.read_text(encoding="utf-8")
    lines = [line for line in before.splitlines() if line.startswith("#")]
    for product in PRODUCTS:
        with tempfile.TemporaryDirectory() as work:
            published = _published(product, Path(work))
        for archive in map(product.archive, PLATFORMS):
            digest, known = sum_of(published, archive), sum_of(before, archive)
            if digest is None:
                continue
            if known not in (None, digest):
                raise ToolError(
                    f"{archive}: published SHA-256 {digest}, in the repository {known}; nothing was changed"
                )
            lines.append(f"{digest}  {archive}")
    text = "\n".join(lines) + "\n"
    write_text(KEPT_SUMS, text)
    return text


def main() -> None:
    """`python -m lab.stack.tools.fetch`: update the checksums of the pinned versions."""
    try:
        sys.stdout.write(keep_sums())
    except ToolError as error:
        sys.stderr.write(f"fleetops: {error}\n")
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
