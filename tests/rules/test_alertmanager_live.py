"""Notifications of a real Alertmanager for the alerts of the real rules, received by a webhook."""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any

import pytest
from support import eventually, fire, free_port, running

from lab.paths import RULES
from lab.slo import promtool
from lab.slo.catalogue import committed
from lab.slo.rule_files import read_groups
from lab.stack.tools.binaries import find

pytestmark = pytest.mark.promtool
TOKEN = "a-token-of-sixteen-or-more"


@dataclass
class Receiver:
    """The notifications that arrived with the token, in order."""

    notifications: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def of(self, severity: str, status: str = "firing") -> list[dict[str, Any]]:
        return [
            notification
            for notification in self.notifications
            if notification["groupLabels"].get("severity") == severity and notification["status"] == status
        ]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    recorder = Receiver()

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            allowed = self.headers["Authorization"] == f"Bearer {TOKEN}" and self.path == "/alertmanager"
            if allowed:
                recorder.notifications.append(json.loads(body))
            self.send_response(200 if allowed else 401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    recorder.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield recorder
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def alertmanager(receiver: Receiver, tmp_path: Path) -> Iterator[str]:
    """The address of an Alertmanager that runs the repository's template."""
    lines = (RULES / "alertmanager.yml").read_text().splitlines()
    body = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    (tmp_path / "token").write_text(TOKEN)
    text = Template(body).substitute(pager_url=receiver.url, token_file=tmp_path / "token")
    (tmp_path / "alertmanager.yml").write_text(text)
    # The one that the lab would start, which skips an unpacked one without its templates.
    tool = find("alertmanager")
    if tool is None:
        pytest.skip("no Alertmanager that can be started; `make lab` fetches one")
    port, program = free_port(), tool.path
    command = (
        str(program),
        f"--config.file={tmp_path / 'alertmanager.yml'}",
        f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    )
    # Debian's build reads its default templates from its working directory.
    with running(command, tmp_path / "alertmanager.log", cwd=program.parent):
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: _is_ready(url), "Alertmanager is ready")
        yield url


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def burns(severity: str) -> list[dict[str, str]]:
    """The labels that the SLOs' alerts of one severity carry when Prometheus sends them."""
    rules = [rule for file in committed().rule_files("lab") for group in read_groups(file) for rule in group.rules]
    return [rule.labels | {"alertname": rule.alert} for rule in rules if rule.labels.get("sloth_severity") == severity]


def names(notification: dict[str, Any]) -> list[str]:
    return sorted(alert["labels"]["alertname"] for alert in notification["alerts"])


def test_a_gateway_wide_outage_is_one_notification_and_its_tickets_are_inhibited(
    alertmanager: str, receiver: Receiver
) -> None:
    """Six SLOs page at once: one message. A page inhibits the ticket of its own SLO and no other ticket."""
    pages, tickets = burns("page"), burns("ticket")
    assert len(pages) == len(tickets) == 6
    others = [labels | {"alertname": "Other", "sloth_id": f"{labels['service']}-other"} for labels in tickets]
    others = [next(labels for labels in others if labels["service"] == service) for service in ("feed", "user")]
    fire(alertmanager, [*pages, *tickets, *others])
    eventually(lambda: receiver.of("page") and len(receiver.of("ticket")) == 2, "pages and both services' tickets")
    (outage,) = receiver.of("page")
    assert names(outage) == sorted(labels["alertname"] for labels in pages)
    assert [names(notification) for notification in receiver.of("ticket")] == [["Other"], ["Other"]]

    fire(alertmanager, pages, resolved=True)
    eventually(lambda: receiver.of("page", "resolved"), "the pages are resolved")
    assert len(receiver.of("page")) == 1
    inhibited = {labels["alertname"] for labels in tickets}
    eventually(
        lambda: inhibited <= {name for notification in receiver.of("ticket") for name in names(notification)},
        "the tickets that were inhibited arrive",
    )


def test_the_running_alertmanager_routes_as_configured(alertmanager: str) -> None:
    command = [str(promtool.find("amtool")), f"--alertmanager.url={alertmanager}", "config", "routes", "test"]
    for label, expected in (("severity=page", "pager"), ("alertname=Watchdog", "watchdog")):
        done = subprocess.run([*command, label], capture_output=True, text=True, check=False)
        assert done.stdout.strip() == expected, done.stderr
