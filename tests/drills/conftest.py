"""Lab clients with a fake pager and gateway (tests/helpers/lab_clients.py)."""

from lab_clients import clients, gateway, pager, servers

__all__ = ["clients", "gateway", "pager", "servers"]
