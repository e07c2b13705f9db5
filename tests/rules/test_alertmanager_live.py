"""What a person is told: a real Alertmanager, the alerts of the real rules, and a webhook that takes what is sent."""

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
from lab.slo import load_rules, promtool
from lab.stack.tools.binaries import find

pytestmark = pytest.mark.promtool
TOKEN = "a-token-of-sixteen-or-more"


@dataclass
class Receiver:
    """Every notification that came with the token, in order."""

    told: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def of(self, severity: str, status: str = "firing") -> list[dict[str, Any]]:
        return [one for one in self.told if one["groupLabels"].get("severity") == severity and one["status"] == status]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            allowed = self.headers["Authorization"] == f"Bearer {TOKEN}" and self.path == "/alertmanager"
            if allowed:
                found.told.append(json.loads(body))
            self.send_response(200 if allowed else 401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield found
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
    # The one that the lab would start: an unpacked one without its templates is passed over.
    found = find("alertmanager")
    if found is None:
        pytest.skip("no Alertmanager that can be started; `make lab` fetches one")
    port, program = free_port(), found.path
    command = (
        str(program),
        f"--config.file={tmp_path / 'alertmanager.yml'}",
        f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    )
    # Debian's build reads its default templates from where it is started.
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
    """The labels with which the SLOs' alerts of one severity leave Prometheus."""
    rules = [rule for rule in load_rules("lab") if rule.get("labels", {}).get("sloth_severity") == severity]
    return [rule["labels"] | {"alertname": rule["alert"]} for rule in rules]


def names(notification: dict[str, Any]) -> list[str]:
    return sorted(alert["labels"]["alertname"] for alert in notification["alerts"])


def test_a_gateway_wide_outage_is_one_notification_and_its_tickets_wait(alertmanager: str, receiver: Receiver) -> None:
    """Six SLOs page at once: one message. Each ticket waits behind its own SLO's page, others' tickets do not."""
    pages, tickets = burns("page"), burns("ticket")
    assert len(pages) == len(tickets) == 6
    others = [labels | {"alertname": "Other", "sloth_id": f"{labels['service']}-other"} for labels in tickets]
    others = [next(labels for labels in others if labels["service"] == service) for service in ("feed", "user")]
    fire(alertmanager, [*pages, *tickets, *others])
    eventually(lambda: receiver.of("page") and len(receiver.of("ticket")) == 2, "pages and both services' tickets")
    (outage,) = receiver.of("page")
    assert names(outage) == sorted(labels["alertname"] for labels in pages)
    assert [names(told) for told in receiver.of("ticket")] == [["Other"], ["Other"]]

    fire(alertmanager, pages, resolved=True)
    eventually(lambda: receiver.of("page", "resolved"), "the pages are told to be over")
    assert len(receiver.of("page")) == 1
    waited = {labels["alertname"] for labels in tickets}
    eventually(
        lambda: waited <= {name for told in receiver.of("ticket") for name in names(told)},
        "the tickets that waited are told",
    )


def test_amtool_finds_nothing_wrong_with_it(alertmanager: str) -> None:
    """The configuration as Alertmanager itself holds it routes as the file does."""
    command = [str(promtool.find("amtool")), f"--alertmanager.url={alertmanager}", "config", "routes", "test"]
    for label, expected in (("severity=page", "pager"), ("alertname=Watchdog", "watchdog")):
        done = subprocess.run([*command, label], capture_output=True, text=True, check=False)
        assert done.stdout.strip() == expected, done.stderr
