"""The proxy behind `network-detour`. It is run by helper.py.

It is the line of lab/services/link.py with a base delay of nothing; it ends when its input does.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from lab import names
from lab.services.link import Link
from lab.telemetry.process import Telemetry
from lab.telemetry.settings import Address, Environment, Settings


async def carry(told: dict[str, Any]) -> None:
    """Carry connections until the input ends."""
    variables = {names.ENV_TOKEN_FILE: told["token_file"], names.ENV_LOG_LEVEL: "error"}
    settings = Settings.read("detour", environment=Environment(variables), public=False, admin=False)
    host, _, port = told["upstream"].rpartition(":")
    link = Link(Telemetry(settings), Address(host, int(port)), 0.0)
    link.line.extra_delay_seconds = told["extra_delay_seconds"]
    loop = asyncio.get_running_loop()
    host, _, port = told["listen"].rpartition(":")
    server = await loop.create_server(link.client, host, int(port), backlog=256)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    # What is logged later has no reader: the parent waits for one line.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()
    link.close()


def main(told: dict[str, Any]) -> None:
    """Carry connections as told; exits with a message when it cannot listen."""
    try:
        asyncio.run(carry(told))
    except OSError as problem:
        sys.exit(f"cannot listen on {told['listen']}: {problem.strerror or problem}")
