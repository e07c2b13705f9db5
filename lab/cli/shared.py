"""What many verbs share: the options --reason and --json, and the clients. Imports wait until a verb runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lab.control.lab_clients import LabClients

REASON = click.option("--reason", default="", help="Why, for the audit log.")
AS_JSON = click.option("--json", "as_json", is_flag=True, help="For programs.")


def clients() -> LabClients:
    """The clients of the lab that runs here."""
    from lab.control.lab_clients import LabClients

    return LabClients.here()
