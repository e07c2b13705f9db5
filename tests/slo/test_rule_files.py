"""Rule files are read in one place: what is not one is named with its key."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LabError
from lab.slo.rule_files import LoadedRule, read_groups

GROUPS = """\
groups:
  - name: g
    interval: 5s
    rules:
      - record: a:b
        expr: up
      - alert: Down
        expr: up == 0
        for: 10s
        labels: {severity: page}
"""


def test_groups_and_rules_are_read_in_order_with_what_they_say(tmp_path: Path) -> None:
    (tmp_path / "g.rules.yml").write_text(GROUPS)
    (group,) = read_groups(tmp_path / "g.rules.yml")
    assert (group.name, group.interval) == ("g", "5s")
    assert group.rules == [
        LoadedRule(record="a:b", expr="up"),
        LoadedRule(alert="Down", expr="up == 0", hold="10s", labels={"severity": "page"}),
    ]
    assert [rule.name for rule in group.rules] == ["a:b", "Down"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (GROUPS.replace("expr: up\n", "expression: up\n"), "expr"),
        (GROUPS.replace("groups:", "group:"), "groups"),
        ("groups: [", "not a rule file"),
        (GROUPS.replace("{severity: page}", "[page]"), "labels"),
    ],
)
def test_a_file_that_is_no_rule_file_is_named_with_the_key(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "g.rules.yml").write_text(text)
    with pytest.raises(LabError, match=rf"(?s)g\.rules\.yml.*{named}") as refusal:
        read_groups(tmp_path / "g.rules.yml")
    assert "\n" not in str(refusal.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"cannot read .*none\.yml"):
        read_groups(tmp_path / "none.yml")
