"""The options of each helper process: one type per helper, tagged with the module that takes it.

The runner sends them as one JSON line; `module` in that line is the tag.
"""

from __future__ import annotations

import msgspec

_PACKAGE = __name__.rpartition(".")[0]


class FlushAllJob(msgspec.Struct, frozen=True, kw_only=True, tag_field="module", tag=f"{_PACKAGE}.flushall_job"):
    """FLUSHALL on the cache at `url`, `times` times (0: without end), one every `every_seconds`."""

    url: str
    times: int
    every_seconds: float


class HeldTransactions(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="module", tag=f"{_PACKAGE}.open_transactions"
):
    """`sessions` connections with one open transaction each, in which the statements ran.

    `reopens`: whether a session that was cancelled or terminated reconnects.
    """

    sessions: int
    statements: list[str]
    application: str
    reopens: bool


class DelayProxy(msgspec.Struct, frozen=True, kw_only=True, tag_field="module", tag=f"{_PACKAGE}.delay_proxy"):
    """A TCP proxy from `listen` to `upstream` (host:port) that delays each round trip."""

    listen: str
    upstream: str
    extra_delay_seconds: float
    token_file: str


Options = FlushAllJob | HeldTransactions | DelayProxy


def module_of(options: Options) -> str:
    """The module that runs with these options."""
    return str(options.__struct_config__.tag)
