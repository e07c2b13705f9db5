"""Runs the helper process of a fault: `python -m lab.drills.faults.helpers.program`. process.py tells it which one.

All helpers look the same in the process table, so it does not say which fault is at work.
"""

from __future__ import annotations

import importlib
import json
import sys


def main() -> None:
    """Read one JSON line, {"module", "told"}, and hand over to that module's `main`."""
    first = json.loads(sys.stdin.readline())
    importlib.import_module(first["module"]).main(first["told"])


if __name__ == "__main__":
    main()
