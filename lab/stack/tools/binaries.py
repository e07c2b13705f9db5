"""Find or fetch prometheus, promtool, alertmanager and amtool.

Searched in this order: PATH, the bin directory of the state directory, the checkout's own state directory. Missing
programs are fetched into the bin directory: from the pinned official release, else from the newest package of the
distribution that runs on this machine, unpacked but not installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab.atomic_write import write_json
from lab.errors import ToolError
from lab.file_lock import held
from lab.paths import ROOT, home
from lab.stack.tools.fetch import PRODUCTS, Product, from_release
from lab.stack.tools.packages import OTHER_NAMES, Apt, lacks_shared_files, suites
from lab.telemetry import json_text

TOOLS = tuple(program for product in PRODUCTS for program in product.programs)
# The rules are tested with these versions and later ones (Debian 12 has these).
OLDEST = {"prometheus": (2, 42), "promtool": (2, 42), "alertmanager": (0, 25), "amtool": (0, 25)}
ORIGINS = "origins.json"  # in a bin directory: program → where it was fetched from

Say = Callable[[str], None]
Fetch = Callable[[Product, Path], str]  # puts a product's programs into a directory; returns their origin


@dataclass(frozen=True)
class Tool:
    """One program: its name, path, version, and origin (PATH, a release or a package)."""

    name: str
    path: Path
    version: str
    source: str


def version_of(path: Path) -> str:
    """The version that a program prints for --version, e.g. "2.42.0+ds"; "" when it does not run."""
    try:
        result = subprocess.run([str(path), "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = re.search(r"version (\S+)", result.stdout + result.stderr)
    return match.group(1) if match else ""


def _new_enough(name: str, version: str) -> bool:
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    return numbers >= OLDEST[name]


def _candidates(name: str) -> Iterator[tuple[Path, str]]:
    for candidate in (name, *OTHER_NAMES.get(name, ())):
        on_path = shutil.which(candidate)
        if on_path:
            yield Path(on_path), "PATH"
    for folder in (home().bin, ROOT / ".lab" / "bin"):
        yield folder / name, _origins(folder).get(name, "state directory")


def _origins(folder: Path) -> dict[str, str]:
    try:
        origins = json_text.parse((folder / ORIGINS).read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(name): str(origin) for name, origin in origins.items()} if isinstance(origins, dict) else {}


def find(name: str) -> Tool | None:
    """The first usable program of a name, or None. Fetches nothing."""
    for path, source in _candidates(name):
        if path.is_file() and os.access(path, os.X_OK):
            version = version_of(path)
            broken = name == "alertmanager" and lacks_shared_files(path)
            if version and _new_enough(name, version) and not broken:
                return Tool(name, path, version, source)
    return None


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`, so that only one process fetches into it."""
    with held(folder / ".lock"):
        yield


def _sources(work: Path, say: Say) -> list[tuple[str, Fetch]]:
    """Every source of a product, with its label, in the order of preference."""
    apts = [Apt(suite, work / f"suite-{number}", say) for number, suite in enumerate(suites())]
    return [
        ("official release", lambda product, target: from_release(product, target, say)),
        *((apt.suite.label, partial(_package, apt)) for apt in apts),
    ]


def _package(apt: Apt, product: Product, target: Path) -> str:
    return apt.fetch(product.packages, product.programs, target)


def _fetch_product(product: Product, sources: list[tuple[str, Fetch]], folder: Path, say: Say) -> None:
    """Fetch `product` into `folder` from the first source that works. ToolError lists the failure of each source."""
    failures = []
    for label, fetch in sources:
        say(f"fetching {product.name} ({label})")
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as work:
            try:
                origin = fetch(product, Path(work))
                _require_usable(product, Path(work))
                _move(Path(work), folder, product.programs)
                write_json(folder / ORIGINS, {**_origins(folder), **dict.fromkeys(product.programs, origin)})
            except ToolError as error:
                failures.append(f"{label}: {error}")
            except OSError as error:
                raise ToolError(f"cannot write to {folder}: {error.strerror}") from error
            else:
                return
    programs = " and ".join(product.programs)
    raise ToolError(
        f"no {programs}: not on PATH, not in {folder}; {'; '.join(failures)}. "
        f"Install {product.name} (on Debian: apt-get install {product.packages[0]}) or put the programs into {folder}"
    )


def _require_usable(product: Product, work: Path) -> None:
    """Run each fetched program once: those of a newer suite may need a newer C library. Raises ToolError."""
    for name in product.programs:
        version = version_of(work / name)
        if not version:
            raise ToolError(f"the fetched {name} does not run here")
        if not _new_enough(name, version):
            raise ToolError(f"{name} {version} is too old")


def _move(work: Path, folder: Path, programs: tuple[str, ...]) -> None:
    """Move the templates, then the programs, each atomically."""
    for file in (*work.glob("*.tmpl"), *(work / name for name in programs)):
        file.replace(folder / file.name)


def ensure(say: Say = lambda _: None) -> dict[str, Tool]:
    """All four programs by name, fetched if missing. Raises ToolError with everything that was tried."""
    tools = {name: find(name) for name in TOOLS}
    if not all(tools.values()):
        folder = home().bin
        with _exclusive(folder), tempfile.TemporaryDirectory(dir=folder, prefix=".lists-") as work:
            sources = _sources(Path(work), say)
            for product in PRODUCTS:
                if any(find(name) is None for name in product.programs):
                    _fetch_product(product, sources, folder, say)
        tools = {name: find(name) for name in TOOLS}
    missing = [name for name, tool in tools.items() if tool is None]
    if missing:
        raise ToolError(
            f"{', '.join(missing)}: the version found is too old or does not run; "
            "remove it from PATH, or install a newer one"
        )
    return {name: tool for name, tool in tools.items() if tool is not None}


def tool(name: str) -> Path:
    """The path of one of the four programs. Raises ToolError when it is missing."""
    program = find(name)
    if program is None:
        raise ToolError(f"{name} is not installed; run `fleetops doctor --fetch` to fetch it")
    return program.path


def main() -> None:
    """`python -m lab.stack.tools.binaries`: fetch the missing programs, then list all of them."""
    try:
        tools = ensure(lambda text: print(text, file=sys.stderr))  # noqa: T201 -- a program's output
    except ToolError as error:
        sys.stderr.write(f"fleetops: {error}\n")
        sys.exit(error.exit_status)
    for program in tools.values():
        sys.stdout.write(f"{program.name} {program.version} ({program.source}: {program.path})\n")


if __name__ == "__main__":
    main()
