"""The helper of `network-detour`: the delay proxy of lab/services/link.py, without a base delay. program.py runs it."""

from __future__ import annotations

import asyncio
import os
import sys

from lab import names
from lab.drills.faults.helpers.options import DelayProxy
from lab.services.link import Link
from lab.telemetry.process import Telemetry
from lab.telemetry.settings import Address, Environment, Settings


async def serve(options: DelayProxy) -> None:
    """Proxy connections until standard input ends. Raises OSError when it cannot listen."""
    variables = {names.ENV_TOKEN_FILE: options.token_file, names.ENV_LOG_LEVEL: "error"}
    settings = Settings.read("detour", environment=Environment(variables), public=False, admin=False)
    host, _, port = options.upstream.rpartition(":")
    link = Link(Telemetry(settings), Address(host, int(port)), 0.0)
    link.delay.extra_delay_seconds = options.extra_delay_seconds
    loop = asyncio.get_running_loop()
    host, _, port = options.listen.rpartition(":")
    server = await loop.create_server(link.client, host, int(port), backlog=256)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    # The runner reads no line after "ready", so later output is discarded.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()
    link.close()


def main(options: DelayProxy) -> None:
    """Proxy connections; exits with a message when it cannot listen."""
    try:
        asyncio.run(serve(options))
    except OSError as error:
        sys.exit(f"cannot listen on {options.listen}: {error.strerror or error}")
