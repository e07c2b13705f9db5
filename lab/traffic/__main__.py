"""`python -m lab.traffic`: sends load to the gateway until SIGTERM."""

from __future__ import annotations

import asyncio
import re
import signal
from dataclasses import asdict
from urllib.parse import urlsplit

from flask import Flask, jsonify
from flask.typing import ResponseReturnValue

from lab import names
from lab.errors import UsageError
from lab.telemetry.auth import host_allowed
from lab.telemetry.body import json_body, number_in, only_keys
from lab.telemetry.process import Telemetry, program, serve_admin
from lab.telemetry.settings import Environment, Settings, checked_url
from lab.traffic.generator import Extra, Generator

DEFAULT_RATE = 80.0
MAX_PEOPLE = 19_000
CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")  # safe to use in a header unescaped


def checked_target(url: str, allowed_hosts: frozenset[str]) -> str:
    """`url`, normalised. Raises UsageError unless it is loopback or an allowed host, so that load stays in the lab."""
    checked = checked_url(url, names.ENV_GATEWAY_URL)
    netloc = urlsplit(checked).netloc
    if not host_allowed(netloc, allowed_hosts):
        raise UsageError(
            f"{names.ENV_GATEWAY_URL}: {netloc} is not this machine; use a loopback address,"
            f" or add the host to {names.ENV_ALLOWED_HOSTS}"
        )
    return checked


def admin_app(telemetry: Telemetry, generator: Generator) -> Flask:
    """GET /admin/state, PUT /admin/rate {"rate"} and PUT /admin/extra (see Extra)."""
    app = telemetry.admin_app()

    @app.get("/admin/state")
    def state() -> ResponseReturnValue:
        return jsonify(rate=generator.rate, outstanding=generator.outstanding, extra=extra_client())

    def extra_client() -> dict[str, object] | None:
        return asdict(generator.extra) if generator.extra else None

    @app.put("/admin/rate")
    def rate() -> ResponseReturnValue:
        body = json_body()
        only_keys(body, "rate")
        value = number_in(body, "rate", 0, names.TRAFFIC_MAX_RATE)
        old = generator.rate
        generator.set_rate(value)
        return jsonify(old={"rate": old}, new={"rate": value})

    @app.put("/admin/extra")
    def extra() -> ResponseReturnValue:
        body = json_body()
        only_keys(body, "client_id", "rate", "people", "ramp_seconds")
        client_id, value = body.get("client_id"), number_in(body, "rate", 0, names.TRAFFIC_MAX_RATE)
        people = int(number_in(body, "people", 0, MAX_PEOPLE)) if "people" in body else 0
        if not isinstance(client_id, str) or not CLIENT_ID.fullmatch(client_id):
            raise UsageError(f"client_id: {client_id!r:.80} is not 1 to 64 letters, digits, '.', '_' or '-'")
        old = extra_client()
        ramp = number_in(body, "ramp_seconds", 0, 600) if "ramp_seconds" in body else 0.0
        generator.set_extra(Extra(client_id, value, people, ramp))
        return jsonify(old=old, new=extra_client())

    return app


async def offer(telemetry: Telemetry, generator: Generator) -> None:
    """Runs the generator until SIGTERM."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    serve_admin(telemetry, admin_app(telemetry, generator))
    running = asyncio.ensure_future(generator.run())
    stopping = asyncio.ensure_future(stopped.wait())
    telemetry.log.info("offering load", rate=generator.rate)
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    telemetry.health.draining.set()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    telemetry.log.info("stopped")


def main() -> None:
    """Reads the environment and sends load until SIGTERM."""
    env = Environment()
    settings = Settings.read("traffic", environment=env, public=False)
    url = checked_target(env.text(names.ENV_GATEWAY_URL, example="http://127.0.0.1:8010"), settings.allowed_hosts)
    rate = env.number(names.ENV_RATE, DEFAULT_RATE, 0, names.TRAFFIC_MAX_RATE)
    telemetry = Telemetry(settings)
    asyncio.run(offer(telemetry, Generator(url, rate, telemetry.registry)))


if __name__ == "__main__":
    program(main)
