"""The committed records of changes. No page builds from one that is missing, damaged, inconsistent or stale."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from lab.change import policy as error_budget
from lab.errors import LabError
from lab.rollout import policy as rollouts
from lab.rollout import record
from lab.rollout.record import ChangeRecord, PushRecord, RefusalRecord, RolloutRecord

T = TypeVar("T", bound=ChangeRecord)
HEALTHY = "healthy"  # the folder of the healthy rollouts below docs/rollouts
HEALTHY_RUNS = 20


class ChangeRecords:
    """The records in `folder`, which is docs/rollouts, of changes by the policies in the folder `policies`."""

    def __init__(self, folder: Path, policies: Path) -> None:
        self.folder = folder
        self._policies = policies
        self._cache: dict[str, ChangeRecord] = {}

    def __iter__(self) -> Iterator[ChangeRecord]:
        for file in sorted(self.folder.rglob("*.json")):
            yield self.read(file.relative_to(self.folder).with_suffix("").as_posix())

    def rollout(self, name: str) -> RolloutRecord:
        """The record of a rollout. Raises LabError as `read`, and when the record is of something else."""
        return self._of(name, RolloutRecord)

    def push(self, name: str) -> PushRecord:
        """The record of a configuration push. Raises LabError as `read`, and when the record is of something else."""
        return self._of(name, PushRecord)

    def refusal(self, name: str) -> RefusalRecord:
        """The record of a refused change. Raises LabError as `read`, and when the record is of something else."""
        return self._of(name, RefusalRecord)

    def _of(self, name: str, kind: type[T]) -> T:
        found = self.read(name)
        if not isinstance(found, kind):
            raise LabError(f"docs/{self.path(name)} is a {type(found).__name__}, not a {kind.__name__}")
        return found

    def path(self, name: str) -> str:
        """The path of a record below docs/."""
        return f"{self.folder.name}/{name}.json"

    def read(self, name: str) -> ChangeRecord:
        """The record with a name such as `feed-1.2.0`.

        Raises LabError, in one line with the file and the command that records it again, when it is missing, damaged or
        stale, or when a verdict does not follow from its counts.
        """
        if name not in self._cache:
            self._cache[name] = self._checked(name)
        return self._cache[name]

    def _checked(self, name: str) -> ChangeRecord:
        shown = f"docs/{self.path(name)}"
        file = self.folder / f"{name}.json"
        recorded = f"--healthy {HEALTHY_RUNS}" if name.startswith(f"{HEALTHY}/") else name
        fix = f"run 'python -m scripts.record_changes {recorded}'"
        if not file.exists():
            raise LabError(f"record {shown} does not exist; {fix}")
        try:
            found = record.load(file)
        except LabError as error:
            raise LabError(f"{error}; {fix}") from error
        for problem in record.verify(found):
            raise LabError(f"record {shown} contradicts itself: {problem}; {fix}")
        policy_file = self._policies / ("error-budget.yml" if isinstance(found, RefusalRecord) else "rollout.yml")
        policy = error_budget.read_policy if isinstance(found, RefusalRecord) else rollouts.read_policy
        if found.policy != policy(policy_file):
            raise LabError(f"record {shown} is stale: {policy_file.name} changed since; record it again: {fix}")
        return found
