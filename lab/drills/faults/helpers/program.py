"""Runs the helper process of a fault: `python -m lab.drills.faults.helpers.program`, which process.py starts.

The first line of standard input says which helper. All helpers look the same in the process table, so that it does not
reveal the fault.
"""

from __future__ import annotations

import importlib
import sys

import msgspec

from lab.drills.faults.helpers.options import Options, module_of
from lab.errors import LabError


def main() -> None:
    """Read the helper's options, one JSON line, and run its module's `main` with them."""
    options = msgspec.json.decode(sys.stdin.readline(), type=Options)
    try:
        importlib.import_module(module_of(options)).main(options)
    except LabError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
