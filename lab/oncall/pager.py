"""The pager process: `python -m lab.oncall.pager`, configured by the environment of lab/names.py."""

from __future__ import annotations

from pathlib import Path

from lab import names
from lab.clients.alertmanager import Alertmanager
from lab.oncall.app import PageCounts, create_app
from lab.oncall.deadman import DeadMansSwitch
from lab.oncall.escalation import Escalation
from lab.oncall.intake import Intake
from lab.oncall.reconciliation import Reconciliation
from lab.oncall.store import Store
from lab.oncall.ticker import Ticker
from lab.telemetry import metrics
from lab.telemetry.auth import AdminAuth
from lab.telemetry.process import Telemetry, program, run
from lab.telemetry.settings import Environment, Settings, checked_url, read_token

THREADS = 4
# Larger than intake.MAX_BYTES, so that the page about an oversized notification can quote its size and its beginning.
MAX_BUFFERED_BYTES = 64 * 1024 * 1024


def main() -> None:
    """Serve until SIGTERM."""
    env = Environment()
    settings = Settings.read("pager", environment=env, admin=False, token=True, threads=THREADS)
    store = Store(Path(env.text(names.ENV_STATE_DIR, example=".lab/data/pager")) / "pager.sqlite3")
    telemetry = Telemetry(settings, checks={"store": store.check})
    telemetry.registry.register(PageCounts(store))
    console = env.text(names.ENV_CONSOLE_URL, "http://127.0.0.1:8000")
    console_url = checked_url(console, names.ENV_CONSOLE_URL)
    switch = DeadMansSwitch(store, console_url)
    app = create_app(store, switch, Intake(store, console_url, telemetry.registry))
    telemetry.init_app(app)
    AdminAuth(settings, prefix="", open_reads=True).init_app(app)
    telemetry.health.init_app(app)
    metrics.expose(app, telemetry.registry)
    alertmanager_url = checked_url(
        env.text(names.ENV_ALERTMANAGER_URL, "http://127.0.0.1:8093"), names.ENV_ALERTMANAGER_URL
    )
    alertmanager = Alertmanager(alertmanager_url, read_token(settings.token_file) if settings.token_file else None)
    reconciliation = Reconciliation(store, alertmanager.active_alerts)
    ticker = Ticker(switch.check, Escalation(store).check, reconciliation.check)
    ticker.start()
    run(telemetry, app, closing=[ticker.close, store.close], max_body_bytes=MAX_BUFFERED_BYTES)


if __name__ == "__main__":
    program(main)
