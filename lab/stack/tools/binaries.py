"""Prometheus, promtool, Alertmanager and amtool without ceremony.

Looked for in this order: PATH, the state directory's bin folder, the checkout's own state directory. What is missing
is fetched into the bin folder: the pinned official release, else the newest package of the distribution's suites that
runs here, unpacked, not installed.
"""

from __future__ import annotations

import fcntl
import json
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
from lab.paths import ROOT, home
from lab.stack.tools.fetch import PRODUCTS, Product, from_release
from lab.stack.tools.packages import OTHER_NAMES, Apt, lacks_shared_files, suites

TOOLS = tuple(program for product in PRODUCTS for program in product.programs)
# The rules are proven on these and later (Debian 12 ships them).
OLDEST = {"prometheus": (2, 42), "promtool": (2, 42), "alertmanager": (0, 25), "amtool": (0, 25)}
ORIGINS = "origins.json"  # in a bin folder: program → where it was fetched from

Say = Callable[[str], None]
Way = Callable[[Product, Path], str]  # puts a product's programs into a folder; returns where they came from


@dataclass(frozen=True)
class Found:
    """One program: its name, its file, its version, and where it came from (PATH, a release or a package)."""

    name: str
    path: Path
    version: str
    source: str


def version_of(path: Path) -> str:
    """The version a program of the Prometheus family tells, e.g. "2.42.0+ds"; "" when it tells none."""
    try:
        done = subprocess.run([str(path), "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = re.search(r"version (\S+)", done.stdout + done.stderr)
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
        told = json.loads((folder / ORIGINS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(origin) for name, origin in told.items()} if isinstance(told, dict) else {}


def find(name: str) -> Found | None:
    """The first usable program of that name, or None. Fetches nothing."""
    for path, source in _candidates(name):
        if path.is_file() and os.access(path, os.X_OK):
            version = version_of(path)
            broken = name == "alertmanager" and lacks_shared_files(path)
            if version and _new_enough(name, version) and not broken:
                return Found(name, path, version, source)
    return None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One fetch at a time in `folder`, whoever asks."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _ways(work: Path, say: Say) -> list[tuple[str, Way]]:
    """Every way to get a product, with its name, in the order of trying."""
    apts = [Apt(suite, work / f"suite-{number}", say) for number, suite in enumerate(suites())]
    return [
        ("official release", lambda product, target: from_release(product, target, say)),
        *((apt.suite.label, partial(_package, apt)) for apt in apts),
    ]


def _package(apt: Apt, product: Product, target: Path) -> str:
    return apt.fetch(product.packages, product.programs, target)


def _fetch(product: Product, ways: list[tuple[str, Way]], folder: Path, say: Say) -> None:
    """Bring `product` into `folder` by the first way that works. Raises ToolError telling each way's failure."""
    tried = []
    for label, way in ways:
        say(f"fetching {product.name} ({label})")
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as work:
            try:
                origin = way(product, Path(work))
                _require_usable(product, Path(work))
                _move(Path(work), folder, product.programs)
                write_json(folder / ORIGINS, {**_origins(folder), **dict.fromkeys(product.programs, origin)})
            except ToolError as error:
                tried.append(f"{label}: {error}")
            except OSError as error:
                raise ToolError(f"cannot write to {folder}: {error.strerror}") from error
            else:
                return
    wanted = " and ".join(product.programs)
    raise ToolError(
        f"no {wanted}: not on PATH, not in {folder}; {'; '.join(tried)}. "
        f"Install {product.name} (on Debian: apt-get install {product.packages[0]}) or put the programs into {folder}"
    )


def _require_usable(product: Product, work: Path) -> None:
    """Run each fetched program once: one from a newer suite may need a newer C library. Raises ToolError."""
    for name in product.programs:
        version = version_of(work / name)
        if not version:
            raise ToolError(f"the fetched {name} does not run here")
        if not _new_enough(name, version):
            raise ToolError(f"{name} {version} is too old")


def _move(work: Path, folder: Path, programs: tuple[str, ...]) -> None:
    """Templates first, then each program in one step: nobody ever sees half a program."""
    for file in (*work.glob("*.tmpl"), *(work / name for name in programs)):
        file.replace(folder / file.name)


def ensure(say: Say = lambda _: None) -> dict[str, Found]:
    """All four programs, fetched if they are missing. Raises ToolError in one line telling what was tried."""
    found = {name: find(name) for name in TOOLS}
    if not all(found.values()):
        folder = home().bin
        with _alone(folder), tempfile.TemporaryDirectory(dir=folder, prefix=".lists-") as work:
            ways = _ways(Path(work), say)
            for product in PRODUCTS:
                if any(find(name) is None for name in product.programs):
                    _fetch(product, ways, folder, say)
        found = {name: find(name) for name in TOOLS}
    missing = [name for name, program in found.items() if program is None]
    if missing:
        raise ToolError(
            f"{', '.join(missing)}: what was found cannot be used here (too old?); "
            "remove it from PATH, or install a newer one"
        )
    return {name: program for name, program in found.items() if program is not None}


def tool(name: str) -> Path:
    """The path of one of the four programs. Raises ToolError when it is nowhere."""
    found = find(name)
    if found is None:
        raise ToolError(f"{name} is nowhere on this machine; run `fleetops doctor --fetch` to get it")
    return found.path


def main() -> None:
    """`python -m lab.stack.tools.binaries`: fetch what is missing, then say what there is."""
    try:
        found = ensure(lambda text: print(text, file=sys.stderr))  # noqa: T201 -- a program's own output
    except ToolError as error:
        sys.stderr.write(f"fleetops: {error}\n")
        sys.exit(error.exit_status)
    for program in found.values():
        sys.stdout.write(f"{program.name} {program.version} ({program.source}: {program.path})\n")


if __name__ == "__main__":
    main()
