"""The console process, `python -m lab.console`: serves the built site and the API behind its console page."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from lab import names
from lab.clients.pager import Pager
from lab.clients.prometheus import Prometheus
from lab.console import static
from lab.console.access import Access
from lab.console.actions import ConsoleActions
from lab.console.api import api
from lab.console.change_metrics import ChangeMetrics
from lab.console.changes import Changes
from lab.console.charts import charts
from lab.console.snapshot import Watcher
from lab.drills.spec.drill import catalogue
from lab.paths import RULES, RUNBOOKS, SITE, home
from lab.slo.catalogue import Catalogue
from lab.telemetry import metrics
from lab.telemetry.process import Telemetry, program, run
from lab.telemetry.settings import Environment, Settings, checked_url, read_token
from lab.telemetry.web import new_app

THREADS = 24
SOURCE_TIMEOUT_SECONDS = 2.0


def create_app(folder: Path, watcher: Watcher, actions: ConsoleActions, telemetry: Telemetry) -> Flask:
    """The console as a Flask app; `folder` is the built site."""
    app = new_app("console")
    telemetry.init_app(app)  # first, so that refused requests are measured too
    access = Access(telemetry.settings)
    access.init_app(app)
    app.register_blueprint(api(watcher, actions, access, telemetry.health.draining))
    app.register_blueprint(static.blueprint(folder))
    telemetry.health.init_app(app)
    metrics.expose(app, telemetry.registry)
    return app


def main() -> None:
    """Serves until SIGTERM. Settings come from the environment."""
    env = Environment()
    settings = Settings.read("console", environment=env, admin=False, token=True, threads=THREADS)
    token = read_token(settings.token_file) if settings.token_file else None
    prometheus_url = checked_url(
        env.text(names.ENV_PROMETHEUS_URL, example="http://127.0.0.1:8090"), names.ENV_PROMETHEUS_URL
    )
    pager_url = checked_url(env.text(names.ENV_PAGER_URL, example="http://127.0.0.1:8012"), names.ENV_PAGER_URL)
    slos = Catalogue(RULES)
    watcher = Watcher(
        Prometheus(prometheus_url, token, timeout_seconds=SOURCE_TIMEOUT_SECONDS),
        Pager(pager_url, token, timeout_seconds=SOURCE_TIMEOUT_SECONDS),
        slos.slos, slos.lab, charts(slos.slos), Changes(home(), slos.lab).state,
    )  # fmt: skip
    telemetry = Telemetry(settings)
    telemetry.registry.register(ChangeMetrics(home()))
    actions = ConsoleActions(home(), RUNBOOKS, tuple(catalogue()))
    run(telemetry, create_app(SITE, watcher, actions, telemetry))


if __name__ == "__main__":
    program(main)
