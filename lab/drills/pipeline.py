"""Intervals and versions of the running Prometheus and Alertmanager."""

from __future__ import annotations

from typing import Any

import yaml

from lab.clients.alertmanager import Alertmanager, Status
from lab.control.lab_clients import LabClients
from lab.drills.spec.prediction import Pipeline
from lab.slo.durations import parse_duration

# Alertmanager's default.
GROUP_WAIT_SECONDS = 30.0


def read_pipeline(clients: LabClients) -> Pipeline:
    """The intervals in the configuration of the running Prometheus and Alertmanager."""
    running = clients.prometheus.http.call("GET", "/api/v1/status/config")["data"]["yaml"]
    settings = yaml.safe_load(running)["global"]
    route = yaml.safe_load(_alertmanager_status(clients).config)["route"]
    scrape, evaluation = (parse_duration(settings[key]) for key in ("scrape_interval", "evaluation_interval"))
    return Pipeline(scrape, evaluation, group_wait_seconds(route))


def group_wait_seconds(route: dict[str, Any]) -> float:
    """The group_wait of pages in Alertmanager's `route`, a mapping of its configuration, in seconds."""
    for child in route.get("routes", []):
        matchers = " ".join(child.get("matchers", []))
        if "severity" in matchers and "page" in matchers and "group_wait" in child:
            return _seconds(child["group_wait"])
    return _seconds(route["group_wait"]) if "group_wait" in route else GROUP_WAIT_SECONDS


def alertmanager_version(clients: LabClients) -> str:
    """The version of the running Alertmanager."""
    return _alertmanager_status(clients).version


def _alertmanager_status(clients: LabClients) -> Status:
    return Alertmanager.of(clients.home, clients.ports).status()


def _seconds(text: str) -> float:
    if text.endswith("ms"):
        return int(text.removesuffix("ms")) / 1000
    return 0.0 if text in ("0", "0s") else float(parse_duration(text))
