"""The pager on a full disk: stored pages can be read, and new ones get a 503, so that Alertmanager retries.

RLIMIT_FSIZE, which keeps the process from growing any file, simulates the full disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from lab.paths import ROOT

PROGRAM = """
import json, resource, sys
from pathlib import Path
sys.path.insert(0, "tests/oncall")
from payloads import alert, payload
from lab.oncall.app import create_app
from lab.oncall.deadman import DeadMansSwitch
from lab.oncall.store import Store

store = Store(Path(sys.argv[1]))
client = create_app(store, DeadMansSwitch(store, "http://127.0.0.1:8000")).test_client()
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
answers = {}

def ask(name, method, path, body=None):
    answer = client.open(path, method=method, json=body)
    answers[name] = [answer.status_code, answer.get_json()]

ask("before", "POST", "/alertmanager", payload(alert("Before")))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
ask("while full", "POST", "/alertmanager", payload(alert("WhileFull")))
ask("list while full", "GET", "/api/pages")
ask("ack while full", "POST", "/api/pages/1/ack", {"by": "me"})
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
ask("retry", "POST", "/alertmanager", payload(alert("WhileFull")))
ask("list afterwards", "GET", "/api/pages")
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Status and JSON of each answer, by the name of the request."""
    store = tmp_path_factory.mktemp("pager") / "pager.sqlite3"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, store], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    by_name: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return by_name


def names(answer: list[Any]) -> list[str]:
    return [page["alertname"] for page in answer[1]["pages"]]


def test_a_page_that_cannot_be_stored_is_answered_503_in_one_line(answers: dict[str, Any]) -> None:
    status, body = answers["while full"]
    assert status == 503
    assert body["error"].startswith("the pager's store failed: ")
    assert "\n" not in body["error"]


def test_stored_pages_can_be_listed(answers: dict[str, Any]) -> None:
    assert answers["list while full"][0] == 200
    assert names(answers["list while full"]) == ["Before"]


def test_an_ack_that_cannot_be_stored_is_refused(answers: dict[str, Any]) -> None:
    assert answers["ack while full"][0] == 503
    acked = {page["alertname"]: page["acked_at"] for page in answers["list afterwards"][1]["pages"]}
    assert acked["Before"] is None


def test_a_retried_notification_is_stored_once_there_is_space(answers: dict[str, Any]) -> None:
    assert answers["retry"][0] == 200
    assert names(answers["list afterwards"]) == ["WhileFull", "Before"]
