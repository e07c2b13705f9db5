"""The committed records of rollouts. No page builds from one that is missing, damaged, inconsistent or stale."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lab.errors import LabError
from lab.rollout import record
from lab.rollout.policy import read_policy
from lab.rollout.record import RolloutRecord


class RolloutRecords:
    """The records in `folder`, which is docs/rollouts, of rollouts by the policy in `policy_file`."""

    def __init__(self, folder: Path, policy_file: Path) -> None:
        self.folder = folder
        self._policy_file = policy_file
        self._cache: dict[str, RolloutRecord] = {}

    def __iter__(self) -> Iterator[RolloutRecord]:
        for file in sorted(self.folder.glob("*.json")):
            yield self.read(file.stem)

    def path(self, name: str) -> str:
        """The path of a record below docs/."""
        return f"{self.folder.name}/{name}.json"

    def read(self, name: str) -> RolloutRecord:
        """The record with a name such as `feed-1.2.0`.

        Raises LabError, in one line with the file and the command that records it again, when it is missing, damaged or
        stale, or when a verdict does not follow from its counts.
        """
        if name not in self._cache:
            self._cache[name] = self._checked(name)
        return self._cache[name]

    def _checked(self, name: str) -> RolloutRecord:
        shown = f"docs/{self.path(name)}"
        file = self.folder / f"{name}.json"
        service, _, version = name.partition("-")
        fix = f"run 'fleetops rollout start {service} --to {version}', then 'fleetops rollout record --output {shown}'"
        if not file.exists():
            raise LabError(f"record {shown} does not exist; {fix}")
        found = record.load(file)
        for problem in record.verify(found):
            raise LabError(f"record {shown} contradicts itself: {problem}; {fix}")
        if found.policy != read_policy(self._policy_file):
            raise LabError(f"record {shown} is stale: {self._policy_file.name} changed since; record it again: {fix}")
        return found
