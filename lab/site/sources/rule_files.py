"""Rule files as text and as data: the exact lines of every rule and group, and their parsed content."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError
from lab.slo.rule_files import LoadedRule, read_groups
from lab.slo.specs.yamltree import LOADER


@dataclass(frozen=True)
class Part:
    """A rule or a group of a rule file. `rules` are those of the group, or the rule alone.

    `text` is its exact source without the common indent, `line` counts from 1.
    """

    name: str
    file: str  # relative to the checkout
    line: int
    text: str
    rules: tuple[LoadedRule, ...]

    @property
    def rule(self) -> LoadedRule:
        """The rule, or the first of a group."""
        return self.rules[0]


@dataclass(frozen=True)
class RuleFiles:
    """The rule files below `rules`, in the profiles lab, production and platform (hand-written, part of every lab)."""

    rules: Path

    @cached_property
    def _groups(self) -> dict[str, list[tuple[Part, list[Part]]]]:
        return {profile: list(self._read(profile)) for profile in ("lab", "production", "platform")}

    def alerts(self, profile: str) -> list[Part]:
        """Every alerting rule of one profile."""
        return [rule for _, rules in self._groups[profile] for rule in rules if rule.rule.alert]

    def alert(self, name: str, profile: str) -> list[Part]:
        """The rules of one alert of a profile or the platform; an SLO's page and ticket share one name.

        Raises LabError that lists the known alerts.
        """
        rules = [*self.alerts(profile), *self.alerts("platform")]
        named = [rule for rule in rules if rule.name == name]
        if not named:
            known = ", ".join(sorted({rule.name for rule in rules}))
            raise LabError(f"no alert {name!r} in rules/{profile} or rules/platform; known alerts: {known}")
        return named

    @cached_property
    def recorded(self) -> dict[str, str]:
        """Every recorded series, with the file of its rule."""
        rules = [rule for groups in self._groups.values() for _, rules in groups for rule in rules]
        return {rule.name: rule.file for rule in rules if rule.rule.record}

    def groups(self, profile: str, contains: str = "") -> list[Part]:
        """The groups of a profile whose names contain `contains`."""
        return [group for group, _ in self._groups[profile] if contains in group.name]

    def names(self) -> list[str]:
        """Every alert of the lab by name, each once, SLO alerts first."""
        return list(dict.fromkeys(rule.name for rule in (*self.alerts("lab"), *self.alerts("platform"))))

    def _read(self, profile: str) -> Iterator[tuple[Part, list[Part]]]:
        for path in sorted((self.rules / profile).glob("*.rules.yml")):
            text = path.read_text()
            shown = f"{self.rules.name}/{profile}/{path.name}"
            root: Any = yaml.compose(text, Loader=LOADER)
            nodes = next(value for key, value in root.value if key.value == "groups").value
            lines = text.splitlines()
            for node, group in zip(nodes, read_groups(path), strict=True):
                rule_nodes = next(value for key, value in node.value if key.value == "rules").value
                rules = [
                    _cut(lines, rule_node, shown, rule.name, [rule])
                    for rule_node, rule in zip(rule_nodes, group.rules, strict=True)
                ]
                yield _cut(lines, node, shown, group.name, group.rules), rules


def _cut(lines: list[str], node: yaml.Node, shown: str, name: str, rules: Sequence[LoadedRule]) -> Part:
    start, end = node.start_mark.line, node.end_mark.line
    block = lines[start:end] or lines[start : start + 1]
    while block and (not block[-1].strip() or block[-1].lstrip().startswith("#")):
        block = block[:-1]  # comments and blank lines at the end belong to the next rule
    indent = len(block[0]) - len(block[0].lstrip())
    return Part(name, shown, start + 1, "\n".join(line[indent:] for line in block), tuple(rules))
