"""Format and lint the site's scripts and style sheets with Biome, by biome.json: `python -m scripts.javascript check`.

`fmt` makes the changes that `check` asks for. Biome is fetched once from the npm registry, at the version in
.ci/javascript/package-lock.json, and cached in .cache/npm. A machine that cannot fetch it skips the step with
one line; in continuous integration (`CI` is set) the step fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence

from lab.errors import ToolError
from lab.paths import ROOT
from lab.site.build import npm

PROJECT = ROOT / ".ci" / "javascript"
ARGUMENTS = {"check": ("check", "--error-on-warnings"), "fmt": ("check", "--write")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run Biome and return its exit status; 0 if it cannot be fetched, except in continuous integration."""
    parser = argparse.ArgumentParser(prog="scripts.javascript", description=__doc__.partition("\n")[0])
    parser.add_argument("action", choices=ARGUMENTS)
    action = parser.parse_args(arguments).action
    try:
        biome = npm.packages(PROJECT) / "@biomejs" / "biome" / "bin" / "biome"
        node = npm.node()
    except ToolError as error:
        required = bool(os.environ.get("CI"))
        sys.stderr.write(f"javascript: {'failed' if required else 'skipped'}: {error}\n")
        return int(required)
    return subprocess.run([node, biome, *ARGUMENTS[action]], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
