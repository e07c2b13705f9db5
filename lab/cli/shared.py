"""The options --reason and --json and the lab clients, for all commands. Imports are deferred until a command runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lab.control.lab_clients import LabClients

REASON = click.option("--reason", default="", help="The reason, for the audit log.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def clients() -> LabClients:
    """The clients of the lab in FLEETOPS_HOME. NotRunning when no lab was started there."""
    from lab.control.lab_clients import LabClients

    return LabClients.here()
