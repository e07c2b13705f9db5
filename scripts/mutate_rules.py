"""Mutation testing of the proofs: breaks the generated rules on purpose and counts the mutants that a proof kills.

    python -m scripts.mutate_rules [--profile lab] [--slo feed-latency-p99] [--only TEXT] [--json]

mutations.yml lists the ways to break a rule. Each mutant changes one rule of one SLO; the proofs of its service run
against it until one fails. The exit status is 1 when a mutant survives that is not marked as equivalent, when a mutant
that is marked as equivalent is killed, or when a mutation does not apply to any rule.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lab.errors import LabError, UsageError
from lab.paths import RULES
from lab.slo import find_slo, load_specs, load_windows, promtool
from lab.slo.durations import format_duration
from lab.slo.model import Slo, Windows
from lab.slo.prove.repository import CHAPTERS
from lab.slo.rendering.rule import Group, Rule
from lab.slo.rendering.rule_file import render
from lab.slo.rendering.rules import generate
from lab.slo.specs.document import Node, read_documents

MUTATIONS = Path(__file__).with_name("mutations.yml")
KEYS = ("name", "rule", "find", "replace", "chapter", "only", "equivalent")


@dataclass(frozen=True)
class Mutation:
    """An entry of mutations.yml."""

    name: str
    rule: str
    find: str
    replace: str
    chapter: str
    only: str
    equivalent: str


@dataclass(frozen=True)
class Verdict:
    """The result of one mutant."""

    slo: str
    mutation: str
    killed_by: str  # the proof file; "" if the mutant survived
    equivalent: str
    seconds: float

    @property
    def is_expected(self) -> bool:
        """Whether it was killed, or survived and is marked as equivalent."""
        return bool(self.killed_by) != bool(self.equivalent)


def read_mutations(path: Path = MUTATIONS) -> list[Mutation]:
    """The mutations of the list. Raises SpecError."""
    (document,) = read_documents(path)
    items: list[Node] = document.mapping("mutations", required=("mutations",))["mutations"].items()
    mutations = []
    for item in items:
        members = item.mapping(*KEYS, required=("name", "rule", "find", "replace"))
        mutations.append(Mutation(**{key: members[key].text() if key in members else "" for key in KEYS}))
    return mutations


def mutate(mutation: Mutation, slo: Slo, windows: Windows) -> list[Group] | None:
    """The SLO's groups with one rule broken; None if the mutation is for another SLO.

    Raises LabError when it changes no rule of the SLO.
    """
    if mutation.only and mutation.only != slo.name:
        return None
    words = {f"w{index}": format_duration(seconds) for index, seconds in enumerate(windows.all_seconds)}
    words |= {f"s{index}": str(seconds) for index, seconds in enumerate(windows.all_seconds)}
    words |= {"id": slo.sloth_id, "period": format_duration(windows.period_seconds), "budget": repr(slo.budget_ratio)}
    words["floor"] = f"{slo.policy.min_bad_events - 0.5:g}"

    def fill(text: str) -> str:
        for word, value in words.items():
            text = text.replace(f"{{{word}}}", value)
        return text

    kind, _, name = fill(mutation.rule).partition(":")
    changed = 0
    groups = []
    for group in generate(slo, windows):
        rules = []
        for rule in group.rules:
            own = rule.labels.get("sloth_severity") if rule.kind == "alert" else rule.name
            broken = (
                _break(rule, fill(mutation.find), fill(mutation.replace)) if (rule.kind, own) == (kind, name) else rule
            )
            changed += broken != rule
            rules.append(broken)
        groups.append(replace(group, rules=tuple(rules)))
    if not changed:
        raise LabError(
            f"{MUTATIONS.name}: {mutation.name!r} changes no rule of {slo.sloth_id}; update its `rule` or `find`"
        )
    return groups


def _break(rule: Rule, find: str, new: str) -> Rule:
    if find.startswith("label:"):
        name = find.removeprefix("label:")
        return replace(rule, labels=rule.labels | {name: new}) if name in rule.labels else rule
    return replace(rule, expr=rule.expr.replace(find, new))


def judge(mutation: Mutation, slo: Slo, profile: str) -> Verdict | None:
    """Run the proofs of the SLO's service against one mutant until one fails; None if it is for another SLO."""
    windows = load_windows(profile)
    broken = mutate(mutation, slo, windows)
    if broken is None:
        return None
    started = time.monotonic()
    groups: list[Group] = []
    for other in load_specs():
        if other.service == slo.service:
            groups += broken if other.sloth_id == slo.sloth_id else generate(other, windows)
    with tempfile.TemporaryDirectory(prefix="fleetops-mutant-") as folder:
        rules = Path(folder) / profile / f"{slo.service}.rules.yml"
        tests = Path(folder) / "tests"
        rules.parent.mkdir()
        tests.mkdir()
        rules.write_text(render(groups), encoding="utf-8")
        chapters = sorted(CHAPTERS, key=lambda chapter: (chapter != mutation.chapter, -CHAPTERS.index(chapter)))
        for chapter in chapters:
            name = f"{profile}-{slo.service}-{chapter}.test.yml"
            (tests / name).write_text((RULES / "tests" / name).read_text(encoding="utf-8"), encoding="utf-8")
            if promtool.run(["test", "rules", tests / name]).returncode != 0:
                return Verdict(slo.sloth_id, mutation.name, name, mutation.equivalent, time.monotonic() - started)
    return Verdict(slo.sloth_id, mutation.name, "", mutation.equivalent, time.monotonic() - started)


def judge_all(mutations: Sequence[Mutation], slos: Sequence[Slo], profile: str) -> Iterator[Verdict]:
    """The verdict on every mutant of every SLO, with one worker per CPU."""
    pairs = [(mutation, slo) for slo in slos for mutation in mutations]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        yield from filter(None, pool.map(lambda pair: judge(pair[0], pair[1], profile), pairs))


def report(verdict: Verdict) -> str:
    """The verdict as a line of text."""
    if verdict.killed_by:
        text = f"killed by {verdict.killed_by}" + (", although marked equivalent" if verdict.equivalent else "")
    else:
        text = f"equivalent: {verdict.equivalent}" if verdict.equivalent else "SURVIVED"
    return f"{verdict.slo}: {verdict.mutation}: {text} ({verdict.seconds:.1f} s)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the verdicts and the mutation score. Returns 0 if every verdict is the expected one."""
    parser = argparse.ArgumentParser(prog="mutate_rules", description="Mutation score of the rules' proofs.")
    parser.add_argument("--profile", default="lab", help="lab (default) or production")
    parser.add_argument("--slo", action="append", help="id of an SLO (default: one availability and one latency SLO)")
    parser.add_argument("--only", default="", help="only mutations whose name contains this text")
    parser.add_argument("--json", action="store_true", help="print a JSON list of verdicts instead of lines")
    options = parser.parse_args(arguments)
    out = sys.stdout
    try:
        slos = [find_slo(name) for name in options.slo or ("feed-availability", "feed-latency-p99")]
        mutations = [mutation for mutation in read_mutations() if options.only in mutation.name]
        if not mutations:
            raise UsageError(f"no mutation in {MUTATIONS.name} has {options.only!r} in its name")
        verdicts = []
        for verdict in judge_all(mutations, slos, options.profile):
            verdicts.append(verdict)
            if not options.json:
                out.write(report(verdict) + "\n")
                out.flush()
    except LabError as error:
        sys.stderr.write(f"mutate_rules: {error}\n")
        return error.exit_status
    if options.json:
        out.write(json.dumps([asdict(verdict) for verdict in verdicts], indent=1) + "\n")
    else:
        real = [verdict for verdict in verdicts if not verdict.equivalent]
        killed = sum(bool(verdict.killed_by) for verdict in real)
        out.write(f"mutation score {killed}/{len(real)}; {len(verdicts) - len(real)} marked as equivalent\n")
    return 0 if all(verdict.is_expected for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
