"""Configuration of Prometheus and Alertmanager: render it, check it with promtool and amtool, reload it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from string import Template
from typing import Any

import bcrypt
import yaml

from lab.atomic_write import write_text
from lab.clients.http import JsonClient
from lab.clients.pager import read_token
from lab.errors import LabError, SpecError, ToolError
from lab.names import EXTERNAL_LABEL_SITE, LOGIN_USER
from lab.paths import LOOPBACK, RULES, Home, Ports
from lab.stack.programs import Program, rules_globs, url
from lab.stack.state import read_document

Config = dict[str, Any]  # YAML as Prometheus and Alertmanager read it; promtool and amtool check it

INTERVAL = "1s"
ALERTMANAGER_TEMPLATE = RULES / "alertmanager.yml"
WEB_CONFIG = "web.yml"
# For amtool and promtool on the command line: amtool --http.config.file=.lab/run/login.yml
LOGIN_CONFIG = "login.yml"
SERVERS = ("prometheus", "alertmanager")  # in start order; both require the login
# The password is 256 random bits, so it cannot be guessed, and more rounds would only slow down logins.
LOGIN_ROUNDS = 4
CHECK_SECONDS = 60
RELOAD_SECONDS = 15.0
# Prometheus and Alertmanager export more than a thousand series about themselves. Only those about loading, evaluation,
# storage and delivery are kept; the others would be half of all samples, and no rule, page or drill uses them.
KEPT_METRICS = {
    "prometheus": (
        "process_.+",
        "prometheus_config_last_reload_successful",
        "prometheus_notifications_(alertmanagers_discovered|dropped_total|errors_total|sent_total)",
        "prometheus_rule_evaluation_failures_total",
        "prometheus_rule_group_(iterations|iterations_missed)_total",
        "prometheus_rule_group_last_duration_seconds",
        "prometheus_tsdb_(head_series|head_samples_appended_total|wal_corruptions_total)",
    ),
    "alertmanager": (
        "process_.+",
        "alertmanager_(alerts|silences|config_last_reload_successful)",
        "alertmanager_notifications(_failed)?_total",
        "alertmanager_notification_requests_(failed_)?total",
    ),
}


@dataclass(frozen=True)
class TargetGroup:
    """An entry of a target file: its addresses, and the labels of their series."""

    targets: list[str]
    labels: dict[str, str]


def targets_dir(home: Home) -> Path:
    """The directory of Prometheus's target files, one JSON file per job."""
    return home.run / "targets"


def write_targets(home: Home, running: Iterable[Program], jobs_known: Iterable[str] = ()) -> None:
    """Write the scrape targets of the `running` programs; Prometheus picks up the change by itself.

    A job of `jobs_known` without a program gets an empty list.
    """
    jobs: dict[str, list[Config]] = {job: [] for job in jobs_known}
    for program in running:
        if program.job:
            target = {"targets": [f"{LOOPBACK}:{program.metrics_port}"], "labels": {"instance": program.name}}
            jobs.setdefault(program.job, []).append(target)
    targets_dir(home).mkdir(parents=True, exist_ok=True)
    for job, targets in jobs.items():
        write_text(targets_dir(home) / f"{job}.json", json.dumps(targets, indent=1))


def targets(home: Home, job: str) -> list[str]:
    """The instances in the target file of a job."""
    groups = read_document(targets_dir(home) / f"{job}.json", list[TargetGroup]) or []
    return [group.labels["instance"] for group in groups if "instance" in group.labels]


def prometheus_config(home: Home, ports: Ports, jobs: Iterable[str]) -> Config:
    """The content of prometheus.yml: scrapes and evaluates every INTERVAL.

    The external label `site` is the console's URL, for links in the rules' annotations; it is dropped from alerts.
    """
    return {
        "global": {
            "scrape_interval": INTERVAL,
            "scrape_timeout": INTERVAL,
            "evaluation_interval": INTERVAL,
            "external_labels": {EXTERNAL_LABEL_SITE: url(ports.console)},
        },
        "rule_files": rules_globs(),
        "alerting": {
            "alert_relabel_configs": [{"action": "labeldrop", "regex": EXTERNAL_LABEL_SITE}],
            "alertmanagers": [
                {**login(home), "static_configs": [{"targets": [f"{LOOPBACK}:{ports.alertmanager}"]}]},
            ],
        },
        "scrape_configs": [
            {
                "job_name": job,
                "file_sd_configs": [{"files": [str(targets_dir(home) / f"{job}.json")], "refresh_interval": "5s"}],
                **(login(home) if job in SERVERS else {}),
                **_kept(job),
            }
            for job in jobs
        ],
        "storage": {"exemplars": {"max_exemplars": 5000}},
    }


def _kept(job: str) -> Config:
    """The relabelling that keeps only KEPT_METRICS of a job; empty for the lab's own programs."""
    if job not in KEPT_METRICS:
        return {}
    return {"metric_relabel_configs": [
        {"action": "keep", "source_labels": ["__name__"], "regex": "|".join(KEPT_METRICS[job])}
    ]}  # fmt: skip


def login(home: Home) -> Config:
    """The HTTP client configuration with the lab's login, as Prometheus, amtool and promtool read it."""
    return {"basic_auth": {"username": LOGIN_USER, "password_file": str(home.token)}}


def web_config(home: Home) -> Config:
    """The web configuration that makes Prometheus and Alertmanager require the login. NotRunning without a token.

    Both accept requests from any origin and for any host name: without a login, any web page could silence alerts or
    load Prometheus with queries.
    """
    digest = bcrypt.hashpw(read_token(home).encode(), bcrypt.gensalt(LOGIN_ROUNDS))
    return {"basic_auth_users": {LOGIN_USER: digest.decode()}}


def client(home: Home, ports: Ports, timeout_seconds: float = 5.0) -> JsonClient:
    """A client of the lab's Prometheus. NotRunning when the lab was never started."""
    token = read_token(home)
    address = url(ports.prometheus)
    return JsonClient(address, what="Prometheus", token=token, user=LOGIN_USER, timeout_seconds=timeout_seconds)


def alertmanager_config(home: Home, ports: Ports) -> str:
    """alertmanager.yml from its template. SpecError when the template has an unknown placeholder."""
    values = {"pager_url": url(ports.pager), "token_file": str(home.token), "console_url": url(ports.console)}
    try:
        text = ALERTMANAGER_TEMPLATE.read_text(encoding="utf-8")
        body = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
        return Template(body).substitute(values) + "\n"
    except OSError as error:
        raise SpecError(ALERTMANAGER_TEMPLATE, str(error.strerror)) from error
    except (KeyError, ValueError) as error:
        raise SpecError(ALERTMANAGER_TEMPLATE, f"unknown placeholder {error}; known: {', '.join(values)}") from error


def render(home: Home, ports: Ports, programs: Iterable[Program], targets: Iterable[Program] | None = None) -> None:
    """Write both configurations, and the scrape targets `targets` (default: the default programs)."""
    programs = list(programs)
    jobs = list(dict.fromkeys(program.job for program in programs if program.job))
    config = prometheus_config(home, ports, jobs)
    write_text(home.run / "prometheus.yml", yaml.safe_dump(config, sort_keys=False))
    write_text(home.run / "alertmanager.yml", alertmanager_config(home, ports))
    write_text(home.run / WEB_CONFIG, yaml.safe_dump(web_config(home)), mode=0o600)
    write_text(home.run / LOGIN_CONFIG, yaml.safe_dump(login(home)))
    defaults = (program for program in programs if program.default)
    write_targets(home, defaults if targets is None else targets, jobs)
    (home.data / "prometheus").mkdir(parents=True, exist_ok=True)
    (home.data / "alertmanager").mkdir(parents=True, exist_ok=True)


def forget_notifications(home: Home) -> None:
    """Delete Alertmanager's notification log and silences, before it starts.

    The start of the lab closes open pages. With the notification log of the previous run, an alert that fires again
    would count as notified until its repeat_interval ends, and nobody would be paged; a forgotten silence has the same
    effect.
    """
    for name in ("nflog", "silences"):
        (home.data / "alertmanager" / name).unlink(missing_ok=True)


def check(home: Home, tools: Mapping[str, Path]) -> None:
    """Check the rendered configuration with promtool and amtool. Raises SpecError with the tool's reason, ToolError."""
    _validate([str(tools["promtool"]), "check", "config", str(home.run / "prometheus.yml")], "Prometheus")
    _validate([str(tools["promtool"]), "check", "web-config", str(home.run / WEB_CONFIG)], "Prometheus")
    _validate([str(tools["amtool"]), "check-config", str(home.run / "alertmanager.yml")], "Alertmanager")


def _validate(command: list[str], server: str) -> None:
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(f"{command[0]} could not be run: {error}") from error
    if result.returncode != 0:
        lines = [line.strip() for line in (result.stdout + result.stderr).splitlines() if line.strip()]
        reasons = (
            [line for line in lines if "FAILED" in line or "rror" in line or ".yml" in line]
            or lines
            or ["no reason given"]
        )
        following = lines[lines.index(reasons[-1]) + 1 :][:1] if reasons[-1].endswith(":") else []
        raise SpecError(command[-1], f"{server} would refuse this configuration: {' '.join([reasons[-1], *following])}")


def rules_loaded(home: Home, ports: Ports) -> int:
    """The number of rule groups that Prometheus has loaded. Raises NotRunning."""
    answer = client(home, ports).call("GET", "/api/v1/rules")
    return len(answer["data"]["groups"])


def reload_rules(home: Home, ports: Ports, promtool: Path, send_hup: Callable[[], None]) -> int:
    """Reload the rule files; returns the number of rule groups. `send_hup` sends SIGHUP to Prometheus.

    Invalid files raise SpecError before the reload, and Prometheus keeps its rules. Raises LabError when the reload
    does not finish within RELOAD_SECONDS.
    """
    _validate([str(promtool), "check", "config", str(home.run / "prometheus.yml")], "Prometheus")
    prometheus = client(home, ports)
    before = prometheus.call("GET", "/api/v1/status/runtimeinfo")["data"]["lastConfigTime"]
    # lastConfigTime has whole seconds: wait until the next one, so that the reload changes it.
    time.sleep(max(0.0, 1.05 - (time.time() - datetime.fromisoformat(before).timestamp())))
    send_hup()
    deadline = time.monotonic() + RELOAD_SECONDS
    while time.monotonic() < deadline:
        info = prometheus.call("GET", "/api/v1/status/runtimeinfo")["data"]
        if info["lastConfigTime"] != before and info["reloadConfigSuccess"]:
            return rules_loaded(home, ports)
        if not info["reloadConfigSuccess"]:
            break
        time.sleep(0.1)
    raise LabError("Prometheus did not reload the rules; see `fleetops logs prometheus`")
