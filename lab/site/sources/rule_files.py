"""Rules as they stand in their files: the very lines, and what they say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from lab.errors import LabError


@dataclass(frozen=True)
class Part:
    """A rule or a group, cut out of its file. `text` is the file's own, without the common indent."""

    name: str
    file: str  # below the checkout, for people
    line: int
    text: str
    data: dict[str, Any]


@dataclass(frozen=True)
class RuleFiles:
    """The rule files below `rules` (rules/lab, rules/production, rules/platform)."""

    rules: Path

    @cached_property
    def _groups(self) -> dict[str, list[tuple[Part, list[Part]]]]:
        return {profile: list(self._read(profile)) for profile in ("lab", "production", "platform")}

    def alerts(self, profile: str) -> list[Part]:
        """Every alerting rule of a profile; the platform's rules belong to every profile."""
        return [rule for _, rules in self._groups[profile] for rule in rules if "alert" in rule.data]

    def alert(self, name: str, profile: str) -> list[Part]:
        """The rules under one alert name (a page and a ticket share theirs); LabError names those there are."""
        found = [rule for rule in (*self.alerts(profile), *self.alerts("platform")) if rule.name == name]
        if not found:
            known = sorted({rule.name for rule in (*self.alerts(profile), *self.alerts("platform"))})
            raise LabError(f"no alert {name!r} in rules/{profile} or rules/platform; there are {', '.join(known)}")
        return found

    @cached_property
    def recorded(self) -> dict[str, str]:
        """Every recorded series and the file that records it."""
        rules = [rule for groups in self._groups.values() for _, rules in groups for rule in rules]
        return {rule.name: rule.file for rule in rules if "record" in rule.data}

    def groups(self, profile: str, contains: str = "") -> list[Part]:
        """The groups of a profile whose names contain a text."""
        return [group for group, _ in self._groups[profile] if contains in group.name]

    def names(self) -> list[str]:
        """Every alert name once, SLO alerts first."""
        return list(dict.fromkeys(rule.name for rule in (*self.alerts("lab"), *self.alerts("platform"))))

    def _read(self, profile: str) -> Iterator[tuple[Part, list[Part]]]:
        for path in sorted((self.rules / profile).glob("*.rules.yml")):
            text = path.read_text()
            shown = f"{self.rules.name}/{profile}/{path.name}"
            root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
            documents = yaml.safe_load(text)["groups"]
            nodes = next(value for key, value in root.value if key.value == "groups").value
            lines = text.splitlines()
            for node, group in zip(nodes, documents, strict=True):
                rule_nodes = next(value for key, value in node.value if key.value == "rules").value
                rules = [
                    _cut(lines, rule_node, shown, rule.get("alert") or rule["record"], rule)
                    for rule_node, rule in zip(rule_nodes, group["rules"], strict=True)
                ]
                yield _cut(lines, node, shown, group["name"], group), rules


def _cut(lines: list[str], node: yaml.Node, shown: str, name: str, data: dict[str, Any]) -> Part:
    start, end = node.start_mark.line, node.end_mark.line
    taken = lines[start:end] or lines[start : start + 1]
    while taken and (not taken[-1].strip() or taken[-1].lstrip().startswith("#")):
        taken = taken[:-1]  # comments and blanks before the next rule are not this rule's
    indent = len(taken[0]) - len(taken[0].lstrip())
    return Part(name, shown, start + 1, "\n".join(line[indent:] for line in taken), data)
