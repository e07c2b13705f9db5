"""Routing of alerts to receivers: amtool on the rendered template."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from string import Template

import pytest
import yaml

from lab.clients.alertmanager import WATCHDOG_RECEIVER
from lab.oncall.deadman import SILENT_SECONDS
from lab.oncall.intake import MAX_BYTES
from lab.paths import RULES
from lab.slo import promtool
from lab.slo.durations import parse_duration

TEMPLATE = RULES / "alertmanager.yml"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The template with its placeholders filled in."""
    body = "\n".join(line for line in TEMPLATE.read_text().splitlines() if not line.lstrip().startswith("#"))
    path = tmp_path / "alertmanager.yml"
    path.write_text(Template(body).substitute(pager_url="http://127.0.0.1:8012", token_file=tmp_path / "token"))
    return path


def amtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([promtool.find("amtool"), *arguments], capture_output=True, text=True, check=False)


def test_the_receiver_of_the_watchdog_is_the_one_that_the_pager_knows_as_no_page() -> None:
    routes = yaml.safe_load(TEMPLATE.read_text())["route"]["routes"]
    assert [route["receiver"] for route in routes if "alertname = Watchdog" in route["matchers"]] == [WATCHDOG_RECEIVER]


def test_the_comment_about_production_compares_with_the_labs_own_intervals() -> None:
    text = TEMPLATE.read_text()
    route = yaml.safe_load(text)["route"]
    said = re.findall(r"(group_wait|group_interval) to (\w+) \((\d+) times", " ".join(text.replace("#", " ").split()))
    assert [name for name, _, _ in said] == ["group_wait", "group_interval"]
    for name, production, times in said:
        assert parse_duration(production) == int(times) * parse_duration(route[name]), name


@pytest.mark.promtool
def test_the_rendered_template_is_a_configuration(config: Path) -> None:
    result = amtool("check-config", config)
    assert result.returncode == 0, result.stderr


@pytest.mark.promtool
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["severity=page", "service=feed"], "pager"),
        (["severity=ticket", "service=feed"], "pager"),
        (["severity=none", "alertname=Watchdog"], "watchdog"),
        (["alertname=SomethingWithoutSeverity"], "pager"),
        (["severity=page", "service=feed", "sloth_id=feed-latency-p99"], "pager"),
        (["severity=page", "alertname=NotificationsFailing"], "delivery"),
    ],
)
def test_an_alert_reaches_its_receiver(config: Path, labels: list[str], receiver: str) -> None:
    result = amtool("config", "routes", "test", f"--config.file={config}", *labels)
    assert result.stdout.strip() == receiver, result.stderr


def test_pages_are_sent_within_a_second_and_resolutions_are_sent_too(config: Path) -> None:
    loaded = yaml.safe_load(config.read_text())
    assert (loaded["route"]["group_wait"], loaded["route"]["group_interval"]) == ("1s", "1s")
    (webhook,) = next(r for r in loaded["receivers"] if r["name"] == "pager")["webhook_configs"]
    assert webhook["send_resolved"] is True
    assert webhook["max_alerts"] * 4096 <= MAX_BYTES
    assert webhook["http_config"]["authorization"]["credentials_file"].endswith("token")


def test_a_page_inhibits_the_ticket_of_its_own_slo_only(config: Path) -> None:
    inhibition = yaml.safe_load(config.read_text())["inhibit_rules"][0]
    assert inhibition["equal"] == ["sloth_id"]
    assert inhibition["source_matchers"] == ["severity = page", 'sloth_id != ""']


def test_the_watchdog_repeats_at_least_twice_before_its_silence_raises_a_page(config: Path) -> None:
    loaded = yaml.safe_load(config.read_text())
    (route,) = (r for r in loaded["route"]["routes"] if r["receiver"] == "watchdog")
    repeat, interval = (int(route[key].removesuffix("s")) for key in ("repeat_interval", "group_interval"))
    longest = repeat + interval  # a repeat waits for the next interval of its group
    assert 2 * longest < SILENT_SECONDS
    (webhook,) = next(r for r in loaded["receivers"] if r["name"] == "watchdog")["webhook_configs"]
    assert webhook["url"].endswith("/watchdog")
