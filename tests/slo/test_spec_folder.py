"""Every spec in the folder is read, other files are refused, and `report` validates as `generate` does."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from lab.cli.slo import slo as command
from lab.errors import SpecError
from lab.slo.catalogue import Catalogue, spec_paths

SPEC = """\
version: prometheus/v1
service: depot
slos:
  - {name: ab, objective: 99.9, sli: {raw: {error_ratio_query: 'avg_over_time(x[{{.window}}])'}}, alerting: {name: A}}
"""


def test_all_yaml_suffixes_are_read_and_hidden_files_are_not(tmp_path: Path) -> None:
    (folder := tmp_path / "slos").mkdir()
    for name in ("a.yml", "b.yaml", "c.YML", "d.Yaml", ".swp", ".e.yml.swp"):
        (folder / name).write_text(SPEC.replace("depot", f"depot-{name[0]}"))
    (folder / "f.yaml").symlink_to("../elsewhere.yaml")
    (tmp_path / "elsewhere.yaml").write_text(SPEC.replace("depot", "depot-f"))
    assert [path.name for path in spec_paths(folder)] == ["a.yml", "b.yaml", "c.YML", "d.Yaml", "f.yaml"]
    assert [slo.service[-1] for slo in Catalogue(tmp_path).slos] == list("abcdf")


@pytest.mark.parametrize("name", ["depot", "depot.json", "depot.yml.orig", "depot.yml~", "README", "folder.yml"])
def test_a_file_that_is_not_a_spec_is_refused_by_name(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(SPEC)
    if name in {"depot", "folder.yml"}:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_text(SPEC)
    with pytest.raises(SpecError, match="is not a spec") as refusal:
        spec_paths(tmp_path)
    assert str(refusal.value).startswith(f"{tmp_path / name}: ")


def test_two_specs_with_the_same_rule_files_are_refused(tmp_path: Path) -> None:
    for name in ("depot.yaml", "depot.yml"):
        (tmp_path / name).write_text(SPEC)
    with pytest.raises(SpecError, match=r"depot.yml: would write to the same rule files as depot.yaml; rename one"):
        spec_paths(tmp_path)


@pytest.mark.parametrize("verb", ["generate", "report"])
def test_two_slos_with_the_same_id_are_refused_by_report_too(verb: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yml"
    path.write_text(f"{SPEC}---\n{SPEC}")
    result = CliRunner().invoke(command, [verb, "--spec", str(path)])
    assert isinstance(result.exception, SpecError)
    assert "'depot-ab' is already the name of" in str(result.exception)


def test_the_report_of_a_valid_spec_is_printed(tmp_path: Path) -> None:
    (tmp_path / "spec.yml").write_text(SPEC)
    result = CliRunner().invoke(command, ["report", "--spec", str(tmp_path / "spec.yml")])
    assert result.stdout.startswith("depot-ab: 99.9 %, budget 43.2 min of outage")
