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


def clients_of_idle_lab() -> LabClients:
    """The clients of a lab whose history may be deleted: UsageError while a rollout is judged by it. NotRunning."""
    from lab.rollout import journal

    found = clients()
    journal.require_none(
        found.home, "a clean slate would delete its counts; wait for its end, or end it with `fleetops rollout abort`"
    )
    return found
