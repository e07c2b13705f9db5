"""`python -m lab.services.gateway`: serves until SIGTERM."""

from __future__ import annotations

from pathlib import Path

from lab import names
from lab.services.gateway.admin import Controls, add_routes
from lab.services.gateway.app import create_app
from lab.services.gateway.comparison import Comparison
from lab.services.gateway.rate_limit import RateLimiter
from lab.services.gateway.state import State
from lab.services.gateway.store import Store
from lab.services.upstream import ClientMetrics, Upstream
from lab.telemetry.process import Telemetry, is_config_check, program, run
from lab.telemetry.settings import Environment, Settings

# More than the maximum in flight, so that a thread is free to refuse excess requests.
THREADS = 192


def main() -> None:
    """Reads the environment and the stored settings, and serves until SIGTERM."""
    env = Environment(service="gateway")
    settings = Settings.read("gateway", environment=env, threads=THREADS)
    defaults = State(
        upstreams={
            names.UPSTREAM_USER: env.urls(names.ENV_UPSTREAMS_USER),
            names.UPSTREAM_FEED: env.urls(names.ENV_UPSTREAMS_FEED),
            names.UPSTREAM_CANARY: env.urls(names.ENV_UPSTREAMS_CANARY),
        }
    )
    if is_config_check(env):
        return
    store = Store(Path(env.text(names.ENV_STATE_DIR, example=".lab/data/gateway")), defaults)
    telemetry = Telemetry(settings, edge=True)
    metrics = ClientMetrics(telemetry.registry)
    state = store.state
    upstreams = {
        name: Upstream(name, urls, state.timeouts_seconds[name], metrics) for name, urls in state.upstreams.items()
    }
    limiter = RateLimiter(state.ratelimit)
    admin = telemetry.admin_app()
    comparison = Comparison()
    add_routes(admin, Controls(telemetry, store, limiter, upstreams, comparison))
    app = create_app(telemetry, store, limiter, upstreams, comparison)
    run(telemetry, app, admin, [upstream.close for upstream in upstreams.values()])


if __name__ == "__main__":
    program(main)
