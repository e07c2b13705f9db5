"""Checks that Prometheus would load rule files before they are written, and names the line of the spec otherwise.

promtool reads the exact text, group by group. Its error about a rule is traced back to the query, label or annotation
of the spec that the rule was generated from.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from lab.errors import LabError, SpecError
from lab.slo import promtool
from lab.slo.model import Slo, Windows
from lab.slo.rendering.ratios import in_window
from lab.slo.rendering.rule import Group, Rule
from lab.slo.rendering.rule_file import render, split_groups
from lab.slo.rendering.series import LABEL_SEVERITY
from lab.slo.specs.fields import refuse_at

# promtool parses YAML twice and PromQL once: half a second of CPU per million characters. Large files are therefore
# split between groups and checked by one process per CPU.
_BATCH_CHARACTERS = 3_000_000
_FAILED = re.compile(
    r'^(?P<file>.*?): (?:\d+:\d+: )?group "(?P<group>[^"]*)", rule (?P<rule>\d+), "(?:[^"\\]|\\.)*": (?P<problem>.*)$',
    re.MULTILINE,
)
_TEMPLATE = re.compile(r'(label|annotation) "([^"]*)": (?:template: [^:]*:\d+:(?:\d+:)? ?)?(.*)')
_EXPRESSION = "could not parse expression: "


@dataclass(frozen=True)
class RuleFile:
    """The text of a rule file or PrometheusRule object, and the SLO that each of its groups comes from."""

    text: str
    groups: tuple[tuple[Slo, Group], ...]
    windows: Windows


def check_loadable(files: Sequence[RuleFile]) -> None:
    """Raise SpecError, naming the place in the spec, when Prometheus would not load one of these files."""
    for file in files:
        _refuse_repeated_names(file)
    batches = [(file, batch) for file in files for batch in _batches(split_groups(file.text))]
    for (file, _), complaint in zip(batches, _read([batch for _, batch in batches]), strict=True):
        if complaint:
            raise _refusal(file, complaint)


def _refuse_repeated_names(file: RuleFile) -> None:
    seen: set[str] = set()
    for slo, group in file.groups:
        if group.name in seen:
            raise refuse_at(slo.origin, f"its rule group {group.name} is also another SLO's; rename one of the SLOs")
        seen.add(group.name)


def _batches(groups: Sequence[str]) -> Iterator[str]:
    """Rule files of about equal size that together contain all groups."""
    size = sum(len(group) for group in groups)
    processes = os.cpu_count() or 1
    count = 1 if size <= _BATCH_CHARACTERS else processes * ceil(size / processes / _BATCH_CHARACTERS)
    per_batch = ceil(len(groups) / count)
    for start in range(0, len(groups), per_batch):
        yield "groups:\n" + "".join(groups[start : start + per_batch])


def _read(batches: Sequence[str]) -> list[str]:
    """promtool's errors about each of these rule files; "" where there are none."""
    with tempfile.TemporaryDirectory(prefix="fleetops-slo-") as folder:
        paths = [Path(folder) / f"{number}.yml" for number in range(len(batches))]
        for path, batch in zip(paths, batches, strict=True):
            path.write_bytes(batch.encode())
        small = sum(len(batch) for batch in batches) <= _BATCH_CHARACTERS
        processes = 1 if small else min(len(paths), os.cpu_count() or 1)
        with ThreadPoolExecutor(processes) as pool:
            results = list(pool.map(lambda n: promtool.run(["check", "rules", *paths[n::processes]]), range(processes)))
        lines = [line for result in results for line in (result.stdout + result.stderr).splitlines()]
        complaints = ["\n".join(line for line in lines if line.startswith(f"{path}: ")) for path in paths]
    for result in results:
        if result.returncode != 0 and not any(complaints):
            raise LabError(f"promtool rejected the rules: {' '.join((result.stdout + result.stderr).split())}")
    return complaints


def _refusal(file: RuleFile, complaint: str) -> SpecError:
    match = _FAILED.search(complaint)
    if not match:
        slo, _ = file.groups[0]
        reason = complaint.splitlines()[0].partition(": ")[2]
        return SpecError(slo.origin.file, f"Prometheus would not load its rules: {reason}")
    slo, group = next((slo, group) for slo, group in file.groups if group.name == match["group"])
    rule, problem = group.rules[int(match["rule"]) - 1], match["problem"]
    if problem.startswith(_EXPRESSION):
        cause = _query_at_fault(slo, file.windows)
    else:
        cause = _template_at_fault(slo, rule, problem)
    return cause or refuse_at(slo.origin, f"Prometheus would not load its rule {rule.name}: {problem}")


def _template_at_fault(slo: Slo, rule: Rule, problem: str) -> SpecError | None:
    """The label or annotation of an SLO that is not a valid template; None when the problem is another."""
    match = _TEMPLATE.match(problem)
    if not match:
        return None
    kind, key, reason = match.groups()
    scopes = (f"{rule.labels.get(LABEL_SEVERITY)}_alert", "alerting")
    place = next(filter(None, (slo.origins.get(f"{scope}.{kind}s.{key}") for scope in scopes)), slo.origin)
    return refuse_at(place, f"{key} is not a valid Prometheus template: {reason}")


def _query_at_fault(slo: Slo, windows: Windows) -> SpecError | None:
    """The query of an SLO that its rules cannot use, found by letting promtool read each one on its own."""
    lengths = sorted({*windows.all_seconds, windows.period_seconds})
    queries = [(name, in_window(query, seconds)) for name, query in vars(slo.sli).items() for seconds in lengths]
    # On its own; then where an instant vector, a range vector and a scalar are required.
    forms = ("{}", "({}) or vector(0)", "count_over_time(({}))", "vector(({}))")
    rules = [Rule("record", "probe", form.format(query)) for _, query in queries for form in forms]
    (complaint,) = _read([render([Group("probe", tuple(rules))])])
    failed = {int(match["rule"]) - 1: match["problem"] for match in _FAILED.finditer(complaint)}
    for index, (name, _) in enumerate(queries):
        alone, vector, ranged, number = (failed.get(len(forms) * index + n) for n in range(len(forms)))
        if alone:
            return refuse_at(slo.origins[name], f"is not PromQL: {alone.removeprefix(_EXPRESSION)}")
        if vector:
            kind = "a string"
            if not ranged:
                kind = "a range vector; apply rate() or an _over_time function to it"
            elif not number:
                kind = "a scalar; remove scalar()"
            return refuse_at(slo.origins[name], f"must be an instant vector, but is {kind}")
    return None
