"""The whole catalogue in one go: what is to be run, what of it is done, and where a stopped campaign goes on.

Its state is a file that is written after every run, so a campaign that was stopped, by whatever, goes on with what is
missing. A result counts only while everything that its run was made from is still the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.atomic_write import write_json
from lab.drills.evidence.provenance import of_drill
from lab.drills.run.responders import GRADERS
from lab.drills.schema.grades import outcome
from lab.drills.schema.record import Record
from lab.drills.spec.drill import Drill
from lab.errors import LabError, Void
from lab.paths import Home

AUTOPILOT = "autopilot"
OUTCOMES = {"sli_recovered", "restored", "alert_resolved", "held"}


@dataclass(frozen=True)
class Run:
    """One run of a campaign. `must_pass`: whether its verdict has to be a pass, or, for a control, a fail."""

    drill: Drill
    responder: str
    must_pass: bool

    @property
    def key(self) -> str:
        """As the campaign's file names it."""
        return f"{self.drill.id}/{self.responder}"


@dataclass(frozen=True)
class Result:
    """What came of one run, in the words and figures of its record."""

    key: str
    passed: bool
    void: bool
    as_expected: bool
    why: str
    predicted_seconds: float | None
    allowance_seconds: float | None
    page_seconds: float | None
    mttr_seconds: float | None
    run_seconds: float
    inputs: dict[str, str]

    @property
    def verdict(self) -> str:
        """In a word: pass, fail, or void."""
        return outcome(passed=self.passed, void=self.void)

    @property
    def outcome(self) -> str:
        """What the run was to show, and whether it did."""
        return "as expected" if self.as_expected else "VOID" if self.void else "UNEXPECTED"

    @property
    def late_seconds(self) -> float | None:
        """Page less prediction, the pipeline's own delay included; None where nothing was predicted or nobody told."""
        if self.predicted_seconds is None or self.page_seconds is None:
            return None
        return self.page_seconds - self.predicted_seconds


def plan(drills: Iterable[Drill], *, controls: bool) -> list[Run]:
    """Every drill with the autopilot; or, as controls of the grading, with nobody and with somebody mistaken.

    A control drill passes when nobody acts, so its only control is the one who acts.
    """
    if not controls:
        return [Run(drill, AUTOPILOT, must_pass=True) for drill in drills]
    return [
        Run(drill, responder, must_pass=False)
        for drill in drills
        for responder in GRADERS
        if not (drill.is_control and responder == "none")
    ]


def result(run: Run, record: Record) -> Result:
    """The result of a run from its record.

    A control proves the grading by what came of it: to fail without a page to answer, or only for not having used the
    runbook, proves nothing.
    """
    verdict, prediction, durations = record.verdict, record.prediction, record.durations
    failed = {check.name for check in verdict.checks if not check.passed}
    proved = run.drill.is_control or (durations.page_seconds is not None and bool(failed & OUTCOMES))
    return Result(
        key=run.key,
        passed=verdict.passed,
        void=verdict.void,
        as_expected=not verdict.void and (verdict.passed if run.must_pass else proved and not verdict.passed),
        why=verdict.why,
        predicted_seconds=prediction.detection_seconds if prediction else None,
        allowance_seconds=prediction.allowance_seconds if prediction else None,
        page_seconds=durations.page_seconds,
        mttr_seconds=durations.mttr_seconds,
        run_seconds=durations.run_seconds,
        inputs=record.inputs,
    )


def failure(run: Run, error: LabError) -> Result:
    """The result of a run that gave no record."""
    return Result(
        run.key, False, isinstance(error, Void), False, f"no verdict: {error}", None, None, None, None, 0.0, {}
    )


class Campaign:
    """The results so far of one campaign, in a file of the state directory."""

    def __init__(self, home: Home, *, controls: bool) -> None:
        self.file = home.data / ("drills.controls.json" if controls else "drills.json")
        self.results: dict[str, Result] = {}

    def resume(self, runs: Iterable[Run]) -> list[Run]:
        """Read what is done already; the runs that are missing, in order. A result that was not as expected is."""
        kept = self._read()
        missing = []
        for run in runs:
            done = kept.get(run.key)
            if done is not None and done.as_expected and done.inputs == of_drill(run.drill):
                self.results[run.key] = done
            else:
                missing.append(run)
        return missing

    def add(self, one: Result) -> None:
        """Keep a result before the next run starts."""
        self.results[one.key] = one
        write_json(self.file, {key: vars(value) for key, value in self.results.items()})

    def finish(self) -> None:
        """The campaign is over: the next one starts afresh."""
        self.file.unlink(missing_ok=True)

    def _read(self) -> dict[str, Result]:
        try:
            return {key: Result(**value) for key, value in json.loads(self.file.read_text()).items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}  # none, or one of an older version: everything is run again


def summary(results: Iterable[Result]) -> Iterator[str]:
    """The figures of a whole campaign: how many were as expected, and detection against prediction."""
    rows = list(results)
    fine = sum(row.as_expected for row in rows)
    yield f"{fine} of {len(rows)} as expected, {sum(row.run_seconds for row in rows) / 60:.1f} min of drills"
    late = sorted(seconds for row in rows if (seconds := row.late_seconds) is not None)
    if late:
        yield (
            f"page less prediction: from {late[0]:+.1f} s to {late[-1]:+.1f} s,"
            f" where the pipeline may add {rows[0].allowance_seconds or 0:g} s"
        )


def keep_record(document: Record, run: Run, folder: Path) -> Path | None:
    """Write the record of a run that is the evidence for the pages: the autopilot's, when it passed."""
    from lab.drills.evidence import record

    if run.responder != AUTOPILOT or not document.verdict.passed:
        return None
    file = folder / f"{run.drill.id}.json"
    record.write(document, file)
    return file
