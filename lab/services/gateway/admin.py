"""The gateway's control API. Every change is on disk before it is answered, and answered with old and new."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from flask import Flask, abort, jsonify
from flask.typing import ResponseReturnValue

from lab import names
from lab.errors import LabError, UsageError
from lab.services.gateway import state as steps
from lab.services.gateway.limits import RateLimiter
from lab.services.gateway.state import State, Store
from lab.services.upstream import Upstream
from lab.telemetry.body import json_body, only_keys
from lab.telemetry.metrics import Gauge
from lab.telemetry.process import Telemetry


class Controls:
    """Applies a changed state to the parts that follow it."""

    def __init__(
        self, telemetry: Telemetry, store: Store, limiter: RateLimiter, upstreams: Mapping[str, Upstream]
    ) -> None:
        self.store = store
        self._log = telemetry.log
        self._limiter = limiter
        self._upstreams = upstreams
        weight = Gauge(
            names.GATEWAY_CANARY_WEIGHT,
            "Share of clients sent to the canary, kill switch included.",
            registry=telemetry.registry,
        )
        weight.set_function(lambda: store.state.canary_weight() / 100)
        enabled = Gauge(names.FEATURE_FLAG_ENABLED, "Whether the flag is on.", ["flag"], registry=telemetry.registry)
        for name in store.state.flags:
            enabled.labels(name).set_function(partial(self._flag, name))
        self._settle(store.state)

    def _settle(self, state: State) -> None:
        """What upstreams follow. Setting a breaker to the mode it has leaves it as it is."""
        for name, upstream in self._upstreams.items():
            upstream.timeout_seconds = state.timeouts_seconds[name]
            upstream.retry = state.retry
            upstream.breaker.set_mode(state.breakers[name])

    def _flag(self, name: str) -> float:
        return float(self.store.state.flags[name])

    def change(self, step: Callable[..., State], *values: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The public state before and after step(state, *values); 404 for an unknown name, 400 for a refused value."""
        try:
            old, new = self.store.change(step, *values)
        except LookupError as problem:
            abort(404, str(problem.args[0]))
        except UsageError:
            raise
        except LabError as problem:
            abort(500, str(problem))
        if new.ratelimit != old.ratelimit:
            self._limiter.configure(new.ratelimit)
        self._settle(new)
        for name, upstream in self._upstreams.items():
            if new.upstreams[name] != old.upstreams[name]:
                upstream.set_urls(new.upstreams[name])
        self._log.info("control", change=step.__name__.removeprefix("with_"), values=values)
        return old.public(), new.public()


# Parts of the state that are changed by a body of what to set; the rest of a part stays.
PARTS: dict[str, Callable[..., State]] = {
    "ratelimit": steps.with_ratelimit,
    "shed": steps.with_shed,
    "retry": steps.with_retry,
    "breakers": steps.with_breakers,
    "cache": steps.with_cache,
    "timeouts": steps.with_timeouts,
}


def add_routes(app: Flask, controls: Controls) -> None:
    """Adds /admin/… to the guarded admin app."""

    def answer(part: str, name: str | None, step: Callable[..., State], *values: Any) -> ResponseReturnValue:
        old, new = controls.change(step, *values)
        before, after = (one[part] if name is None else one[part][name] for one in (old, new))
        return jsonify(old=before, new=after)

    @app.get("/admin/state")
    def state() -> ResponseReturnValue:
        return jsonify(controls.store.state.public())

    @app.put("/admin/canary")
    def canary() -> ResponseReturnValue:
        body = json_body()
        only_keys(body, "weight_percent")
        return answer("canary", None, steps.with_weight, body)

    @app.put("/admin/flags/<name>")
    def flag(name: str) -> ResponseReturnValue:
        body = json_body()
        only_keys(body, "enabled")
        return answer("flags", name, steps.with_flag, name, body)

    @app.put("/admin/upstreams/<name>")
    def upstream(name: str) -> ResponseReturnValue:
        return answer("upstreams", name, steps.with_upstream, name, json_body())

    for part, step in PARTS.items():
        app.add_url_rule(
            f"/admin/{part}",
            part,
            lambda part=part, step=step: answer(part, None, step, json_body()),
            methods=["PUT"],
        )
