"""The pretended desk of tests/desks.py."""

from desks import desk, gateway, pager, servers

__all__ = ["desk", "gateway", "pager", "servers"]
