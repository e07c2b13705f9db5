"""Lab clients with a fake pager and gateway (tests/desks.py)."""

from desks import clients, gateway, pager, servers

__all__ = ["clients", "gateway", "pager", "servers"]
