"""The pretended clients of tests/desks.py."""

from desks import clients, gateway, pager, servers

__all__ = ["clients", "gateway", "pager", "servers"]
