"""The SLOs a drill is measured against, and the configuration the running lab really has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lab.control.desk import Desk
from lab.drills.prediction import Pipeline
from lab.errors import UsageError
from lab.oncall.alertmanager import Alertmanager
from lab.places import RULES
from lab.slo.durations import parse_duration
from lab.slo.library import spec_paths
from lab.slo.model import Slo, Windows
from lab.slo.spec import read_spec
from lab.slo.windows import read_windows

PROFILE = "lab"
# Alertmanager's own default, when the configuration does not say.
GROUP_WAIT_SECONDS = 30.0


def spec_files() -> list[Path]:
    """Every SLO spec."""
    return spec_paths()


def windows_file() -> Path:
    """The windows of the profile the lab runs."""
    return RULES / "windows" / f"{PROFILE}.yml"


def rules_file(service: str) -> Path:
    """The generated rules of one service that the lab's Prometheus loads."""
    return RULES / PROFILE / f"{service}.rules.yml"


def windows() -> Windows:
    """The lab profile's windows."""
    return read_windows(windows_file())


def all_slos() -> dict[str, tuple[Slo, Path]]:
    """Every SLO and its file, by sloth_id."""
    return {slo.sloth_id: (slo, file) for file in spec_files() for slo in read_spec(file)}


def find(sloth_id: str) -> tuple[Slo, Path]:
    """One SLO and the file it stands in; UsageError lists the ids there are."""
    known = all_slos()
    if sloth_id not in known:
        raise UsageError(f"no SLO {sloth_id!r}; the SLOs are {', '.join(sorted(known))}")
    return known[sloth_id]


def pipeline(desk: Desk) -> Pipeline:
    """Intervals as the running Prometheus and Alertmanager have them."""
    running = desk.prometheus.http.call("GET", "/api/v1/status/config")["data"]["yaml"]
    settings = yaml.safe_load(running)["global"]
    route = yaml.safe_load(_alertmanager_status(desk)["config"]["original"])["route"]
    scrape, evaluation = (parse_duration(settings[key]) for key in ("scrape_interval", "evaluation_interval"))
    return Pipeline(scrape, evaluation, group_wait_seconds(route))


def group_wait_seconds(route: dict[str, Any]) -> float:
    """How long Alertmanager's route holds a page back to group it."""
    for child in route.get("routes", []):
        matchers = " ".join(child.get("matchers", []))
        if "severity" in matchers and "page" in matchers and "group_wait" in child:
            return _seconds(child["group_wait"])
    return _seconds(route["group_wait"]) if "group_wait" in route else GROUP_WAIT_SECONDS


def alertmanager_version(desk: Desk) -> str:
    """The version that runs."""
    return str(_alertmanager_status(desk)["versionInfo"]["version"])


def _alertmanager_status(desk: Desk) -> dict[str, Any]:
    return Alertmanager.of(desk.home, desk.ports).status()


def _seconds(text: str) -> float:
    if text.endswith("ms"):
        return int(text.removesuffix("ms")) / 1000
    return 0.0 if text in ("0", "0s") else float(parse_duration(text))
