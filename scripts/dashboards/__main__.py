"""Write the Grafana dashboards, or check the committed ones:  python -m scripts.dashboards [--check]"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from lab.errors import LabError
from scripts.dashboards import generated


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0, or 1 with `--check` when a file differs, or when an input cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.dashboards", description="Generate rules/grafana/dashboards."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a committed file differs")
    try:
        if not parser.parse_args(arguments).check:
            sys.stdout.write(f"wrote {generated.write_all()} dashboards\n")
            return 0
        differing = list(generated.drift())
    except LabError as error:
        sys.stderr.write(f"dashboards: {error}\n")
        return 1
    sys.stderr.writelines(f"{line}\n" for line in differing)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
