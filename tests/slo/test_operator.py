"""PrometheusRule objects: two spec files never share one, and users choose names and labels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.cli.slo import slo as command
from lab.errors import UsageError
from lab.slo.generate import read_all
from lab.slo.rendering.operator import metadata, name_of

SPEC = """\
version: prometheus/v1
service: %s
slos:
  - {name: %s, objective: 99.9, sli: {raw: {error_ratio_query: 'avg_over_time(x[{{.window}}])'}}, alerting: {name: A}}
"""
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LONG = "a" * 200


def named(folder: Path, service: str, slo: str, file: str = "spec.yml") -> str:
    path = folder / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(SPEC % (service, slo))
    ((_, slos),) = read_all([path])
    return name_of(slos)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("tollgate", "entry"), ("tollgate", "exit")),
        (("team.search", "entry"), ("team-search", "entry")),
        (("team_search", "entry"), ("team.search", "entry")),
        (("Search", "entry"), ("search", "entry")),
        ((f"{LONG}-eu", "entry"), (f"{LONG}-us", "entry")),
        ((f"{LONG}{LONG}-eu", "entry"), (f"{LONG}{LONG}-us", "entry")),
        (("a--b", "entry"), ("a-b", "entry")),
    ],
)
def test_two_specs_give_two_object_names(first: tuple[str, str], second: tuple[str, str], tmp_path: Path) -> None:
    """Also when their files have the same name in two folders."""
    names = [named(tmp_path, *first, file="eu/slo.yml"), named(tmp_path, *second, file="us/slo.yml")]
    assert len(set(names)) == 2
    assert all(SUBDOMAIN.fullmatch(name) and len(name) <= 253 for name in names)


words = st.from_regex(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,8}[A-Za-z0-9])", fullmatch=True)


@settings(suppress_health_check=list(HealthCheck))
@given(ids=st.lists(st.tuples(words, words), min_size=2, max_size=4, unique=True))
def test_different_slos_give_different_valid_object_names(ids: list[tuple[str, str]]) -> None:
    class Named:
        def __init__(self, service: str, name: str) -> None:
            self.service, self.name = service, name

    names = [name_of([Named(service, slo)]) for service, slo in ids]  # type: ignore[list-item]
    assert len(set(names)) == len(ids)
    assert all(SUBDOMAIN.fullmatch(name) and len(name) <= 253 for name in names)


def test_an_object_keeps_its_name_when_its_file_moves_or_grows(tmp_path: Path) -> None:
    before = named(tmp_path, "tollgate", "entry", "a.yml")
    (tmp_path / "b.yml").write_text((tmp_path / "a.yml").read_text() + (SPEC % ("x", "exit")).partition("slos:\n")[2])
    ((_, slos),) = read_all([tmp_path / "b.yml"])
    assert len(slos) == 2
    assert name_of(slos) == before == "slo-tollgate.entry"


def generate(folder: Path, *options: str) -> Any:
    (folder / "spec.yml").write_text(SPEC % ("tollgate", "entry"))
    return CliRunner().invoke(command, ["generate", "--spec", str(folder / "spec.yml"), *options])


@pytest.mark.promtool
def test_options_set_name_namespace_and_labels(tmp_path: Path) -> None:
    options = ["--operator", "--name", "tolls.v1", "--namespace", "monitoring"]
    for text in ("release=prometheus", "example.org/role=alert-rules", "weight=1", "on=true", "empty="):
        options += ["--label", text]
    written = yaml.safe_load(generate(tmp_path, *options).stdout)["metadata"]
    assert (written["name"], written["namespace"]) == ("tolls.v1", "monitoring")
    assert written["labels"] == {
        "app.kubernetes.io/component": "slo",
        "app.kubernetes.io/managed-by": "fleetops",
        "release": "prometheus",
        "example.org/role": "alert-rules",
        "weight": "1",
        "on": "true",
        "empty": "",
    }


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--name", "Tolls"], "--name 'Tolls' is not an object name"),
        (["--name", "a" * 254], "is not an object name; use at most 253"),
        (["--name", "a..b"], "is not an object name"),
        (["--namespace", "a.b"], "--namespace 'a.b' is not a namespace"),
        (["--label", "release"], "--label 'release' is not a Kubernetes label; write KEY=VALUE"),
        (["--label", "=a"], "is not a Kubernetes label"),
        (["--label", "a/b/c=d"], "is not a Kubernetes label"),
        (["--label", "/c=d"], "is not a Kubernetes label"),
        (["--label", f"{'a' * 64}=b"], "is not a Kubernetes label"),
        (["--label", "a=b c"], "is not a Kubernetes label"),
        (["--label", "a=b\n"], "is not a Kubernetes label"),
    ],
)
def test_metadata_that_kubernetes_rejects_is_refused(options: list[str], problem: str, tmp_path: Path) -> None:
    result = generate(tmp_path, "--operator", *options)
    assert isinstance(result.exception, UsageError)
    assert problem in str(result.exception)
    assert result.stdout == ""


@pytest.mark.parametrize("option", [["--name", "a"], ["--namespace", "a"], ["--label", "a=b"]])
def test_object_options_are_refused_without_operator(option: list[str], tmp_path: Path) -> None:
    result = generate(tmp_path, *option)
    assert isinstance(result.exception, UsageError)
    assert "give --operator with them" in str(result.exception)
    assert isinstance(CliRunner().invoke(command, ["generate", *option]).exception, UsageError)


def test_the_last_of_two_labels_with_one_key_wins(tmp_path: Path) -> None:
    named(tmp_path, "tollgate", "entry")
    ((_, slos),) = read_all([tmp_path / "spec.yml"])
    assert metadata(slos, labels=["a=b", "a=c"]).labels["a"] == "c"
