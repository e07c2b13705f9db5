"""The gateway's control API. Every change is durable before the response, which has the old and the new value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from flask import Flask, abort, jsonify
from flask.typing import ResponseReturnValue

from lab import names
from lab.errors import LabError, UsageError
from lab.services.gateway import state as steps
from lab.services.gateway.comparison import Comparison
from lab.services.gateway.rate_limit import RateLimiter
from lab.services.gateway.state import State
from lab.services.gateway.store import Apply, Store
from lab.services.upstream import Upstream
from lab.telemetry.body import json_body, only_keys
from lab.telemetry.metrics import Gauge
from lab.telemetry.process import Telemetry


class Controls:
    """Changes the stored state and applies it to the rate limiter, the upstreams and the comparison of versions."""

    def __init__(
        self,
        telemetry: Telemetry,
        store: Store,
        limiter: RateLimiter,
        upstreams: Mapping[str, Upstream],
        comparison: Comparison,
    ) -> None:
        self.store = store
        self._log = telemetry.log
        self._limiter = limiter
        self._upstreams = upstreams
        self._comparison = comparison
        telemetry.registry.register(comparison)
        weight = Gauge(
            names.GATEWAY_CANARY_WEIGHT,
            "Ratio of clients routed to the canary; 0 while the kill switch is off.",
            registry=telemetry.registry,
        )
        weight.set_function(lambda: store.state.canary_weight() / 100)
        enabled = Gauge(names.FEATURE_FLAG_ENABLED, "1 while the flag is on.", ["flag"], registry=telemetry.registry)
        for name in store.state.flags:
            enabled.labels(name).set_function(partial(self._flag, name))
        Gauge(
            names.GATEWAY_STATE_REFUSED,
            "Parts of the stored state that were invalid at start and have their defaults.",
            registry=telemetry.registry,
        ).set(len(store.refused))
        for problem in store.refused:
            self._log.error("stored state invalid, default used", part=problem)
            telemetry.health.note(f"stored state invalid, default used: {problem}")
        self._build(store.state)()

    def _build(self, new: State) -> Apply:
        """Builds the replicas of `new`, and returns the function that applies it. Raises UsageError for a bad URL."""
        replicas = {name: upstream.build(new.upstreams[name]) for name, upstream in self._upstreams.items()}

        def apply() -> None:
            if new.ratelimit != self._limiter.quota:
                self._limiter.configure(new.ratelimit)
            self._comparison.use(new.comparison)
            for name, upstream in self._upstreams.items():
                upstream.use(replicas[name])
                upstream.timeout_seconds = new.timeouts_seconds[name]
                upstream.retry = new.retry
                # Setting the current mode keeps the breaker's counts.
                upstream.breaker.set_mode(new.breakers[name])

        return apply

    def _flag(self, name: str) -> float:
        return float(self.store.state.flags[name])

    def change(self, step: Callable[..., State], *values: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The public state before and after step(state, *values). 404 for an unknown name, 400 for an invalid value."""
        try:
            old, new = self.store.change(step, *values, build=self._build)
        except LookupError as problem:
            abort(404, str(problem.args[0]))
        except UsageError:
            raise
        except LabError as problem:
            abort(500, str(problem))
        self._log.info("control", change=step.__name__.removeprefix("with_"), values=values)
        return old.public(), new.public()


def add_routes(app: Flask, controls: Controls) -> None:
    """Adds the /admin/… routes to the admin app."""

    def answer(part: str, name: str | None, step: Callable[..., State], *values: Any) -> ResponseReturnValue:
        old, new = controls.change(step, *values)
        before, after = (public[part] if name is None else public[part][name] for public in (old, new))
        return jsonify(old=before, new=after)

    @app.get("/admin/state")
    def state() -> ResponseReturnValue:
        return jsonify(controls.store.state.public())

    @app.put("/admin/flags/<name>")
    def flag(name: str) -> ResponseReturnValue:
        body = json_body()
        only_keys(body, "enabled")
        return answer("flags", name, steps.with_flag, name, body)

    @app.put("/admin/upstreams/<name>")
    def upstream(name: str) -> ResponseReturnValue:
        return answer("upstreams", name, steps.with_upstream, name, json_body())

    for part, step in steps.PARTS.items():
        app.add_url_rule(
            f"/admin/{part}",
            part,
            lambda part=part, step=step: answer(part, None, step, json_body()),
            methods=["PUT"],
        )
