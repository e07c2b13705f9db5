"""Grafana's provisioning files: data sources that the dashboards find, and traces behind exemplars."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dashboards
import pytest
import yaml

from lab.names import LOGIN_USER
from lab.paths import ROOT, RULES
from lab.telemetry import spans
from scripts.dashboards.board import PROMETHEUS_UID

PROVISIONING = RULES / "grafana" / "provisioning"


def sources() -> dict[str, dict[str, Any]]:
    """The data sources by type."""
    content = yaml.safe_load((PROVISIONING / "datasources" / "fleetops.yml").read_text())
    return {source["type"]: source for source in content["datasources"]}


def test_there_is_one_data_source_each_for_metrics_alerts_and_traces() -> None:
    assert sources().keys() == {"prometheus", "alertmanager", "jaeger"}
    assert len({source["uid"] for source in sources().values()}) == 3
    assert [source["type"] for source in sources().values() if source.get("isDefault")] == ["prometheus"]
    assert sources()["prometheus"]["jsonData"]["alertmanagerUid"] == sources()["alertmanager"]["uid"]


@pytest.mark.parametrize("file", dashboards.FILES, ids=lambda file: file.stem)
def test_a_dashboard_opens_on_the_provisioned_prometheus(file: Path) -> None:
    (variable,) = [item for item in dashboards.read(file)["templating"]["list"] if item["type"] == "datasource"]
    assert variable["query"] == "prometheus"
    assert variable["current"]["value"] == PROMETHEUS_UID == sources()["prometheus"]["uid"]


def test_an_exemplar_opens_its_trace() -> None:
    (destination,) = sources()["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert destination["datasourceUid"] == sources()["jaeger"]["uid"]
    request = spans.begin(spans.Request(spans.Ring(slow_seconds=1), 1, 1, 0, sampled=True))
    try:
        exemplar = spans.exemplar(0.1)
    finally:
        spans.end(request)
    assert exemplar is not None
    assert [destination["name"]] == list(exemplar)


def test_addresses_and_login_are_those_of_the_containers() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    for kind in ("prometheus", "alertmanager"):
        source = sources()[kind]
        address = urlsplit(source["url"])
        assert f"--web.listen-address=0.0.0.0:{address.port}" in services[address.hostname]["command"]
        assert (source["basicAuth"], source["basicAuthUser"]) == (True, LOGIN_USER)
        # A file, never the password itself.
        assert source["secureJsonData"] == {"basicAuthPassword": "$__file{/var/lib/fleetops/token}"}


def test_a_dashboard_is_changed_in_the_code_only() -> None:
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "fleetops.yml").read_text())["providers"]
    assert (provider["type"], provider["allowUiUpdates"], provider["disableDeletion"]) == ("file", False, True)
