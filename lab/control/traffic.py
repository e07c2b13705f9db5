"""The load: the rate of arrivals that the load generator schedules."""

from __future__ import annotations

from typing import Any

from lab.control.admin_clients import TrafficAdmin
from lab.control.lab_clients import LabClients
from lab.errors import UsageError
from lab.names import TRAFFIC_MAX_RATE


def show(clients: LabClients) -> dict[str, Any]:
    """The load generator's state, see TrafficAdmin.state. NotRunning when it does not answer."""
    return _admin(clients).state()


def set_rate(clients: LabClients, rate: float, reason: str = "") -> float:
    """Schedule `rate` arrivals a second from now on; returns the previous rate.

    Raises UsageError outside 0 to TRAFFIC_MAX_RATE (without an audit row), NotRunning when the load generator does not
    answer (audited as failed). The rate lasts until the load generator restarts.
    """
    _check(rate)
    with clients.trail.action("traffic rate", "traffic", new=rate, reason=reason) as change:
        change.old = change_rate(_admin(clients), rate)
    return float(change.old)


def change_rate(traffic: TrafficAdmin, rate: float) -> float:
    """Set the rate without an audit row; returns the previous one. Raises UsageError outside 0 to TRAFFIC_MAX_RATE.

    For faults. More clients are not a change that somebody made to the lab: an audit row would name the fault to the
    responder, and `fleetops change list` and the budget ledger would count it as a failed change.
    """
    _check(rate)
    old = traffic.rate()
    traffic.set_rate(rate)
    return old


def _check(rate: float) -> None:
    if not 0 <= rate <= TRAFFIC_MAX_RATE:
        raise UsageError(f"traffic rate {rate:g} is not a number from 0 to {TRAFFIC_MAX_RATE:g} requests a second")


def _admin(clients: LabClients) -> TrafficAdmin:
    return TrafficAdmin.of(clients.home, clients.ports)
