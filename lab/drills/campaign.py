"""A campaign runs the whole catalogue: which runs it has, which are done, and where a stopped campaign continues.

Its state is a file written after every run, so that a campaign that was stopped, or that had unexpected results,
continues with the runs that are missing or unexpected. A result is kept only while the inputs of its run are unchanged.
"""

from __future__ import annotations

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
from lab.telemetry import json_text

AUTOPILOT = "autopilot"
OUTCOMES = {"sli_recovered", "restored", "alert_resolved", "held"}


@dataclass(frozen=True)
class Run:
    """One run of a campaign. `must_pass`: whether its verdict must be a pass or, for a control, a fail."""

    drill: Drill
    responder: str
    must_pass: bool

    @property
    def key(self) -> str:
        """Its name in the campaign's file: drill/responder."""
        return f"{self.drill.id}/{self.responder}"


@dataclass(frozen=True)
class Result:
    """The result of one run, with the figures of its record."""

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
        """In one word: pass, fail or void."""
        return outcome(passed=self.passed, void=self.void)

    @property
    def outcome(self) -> str:
        """Whether the run ended as it should: `as expected`, `UNEXPECTED` or `VOID`."""
        return "as expected" if self.as_expected else "VOID" if self.void else "UNEXPECTED"

    @property
    def late_seconds(self) -> float | None:
        """Page minus prediction, including the pipeline's delay; None without a prediction or without a page."""
        if self.predicted_seconds is None or self.page_seconds is None:
            return None
        return self.page_seconds - self.predicted_seconds


def plan(drills: Iterable[Drill], *, controls: bool) -> list[Run]:
    """Every drill with the autopilot, or with `controls` each drill with the responders `none` and `wrong`.

    A control drill passes when nobody acts, so it is run with `wrong` only.
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

    A control proves the grading only if it was paged and failed a check of the outcome: a fail for not using the
    runbook proves nothing.
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
    """The result of a run that ended with an error instead of a record."""
    return Result(
        run.key, False, isinstance(error, Void), False, f"no verdict: {error}", None, None, None, None, 0.0, {}
    )


class Campaign:
    """The results of one campaign so far, in a file of the state directory."""

    def __init__(self, home: Home, *, controls: bool) -> None:
        self.file = home.data / ("drills.controls.json" if controls else "drills.json")
        self.results: dict[str, Result] = {}

    def resume(self, runs: Iterable[Run]) -> list[Run]:
        """Read the results so far; returns the missing runs in order, including those that ended unexpectedly."""
        stored = self._read()
        missing = []
        for run in runs:
            done = stored.get(run.key)
            if done is not None and done.as_expected and done.inputs == of_drill(run.drill):
                self.results[run.key] = done
            else:
                missing.append(run)
        return missing

    def add(self, result: Result) -> None:
        """Store a result before the next run starts."""
        self.results[result.key] = result
        write_json(self.file, {key: vars(value) for key, value in self.results.items()})

    def clear(self) -> None:
        """Remove the stored results; the next campaign starts from the beginning."""
        self.file.unlink(missing_ok=True)

    def _read(self) -> dict[str, Result]:
        try:
            return {key: Result(**value) for key, value in json_text.parse(self.file.read_bytes()).items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}  # no state, or that of an older version: every run is missing


def summary(results: Iterable[Result]) -> Iterator[str]:
    """The summary of a campaign: how many runs were as expected, and detection compared with prediction."""
    rows = list(results)
    expected = sum(row.as_expected for row in rows)
    yield f"{expected} of {len(rows)} as expected, {sum(row.run_seconds for row in rows) / 60:.1f} min of drills"
    late = sorted(seconds for row in rows if (seconds := row.late_seconds) is not None)
    if late:
        yield (
            f"page minus prediction: from {late[0]:+.1f} s to {late[-1]:+.1f} s;"
            f" the pipeline's allowance is {rows[0].allowance_seconds or 0:g} s"
        )


def keep_record(document: Record, run: Run, folder: Path) -> Path | None:
    """Write the record of a run if it is evidence for the site: the autopilot's, and passed. Returns its file."""
    from lab.drills.evidence import record

    if run.responder != AUTOPILOT or not document.verdict.passed:
        return None
    file = folder / f"{run.drill.id}.json"
    record.write(document, file)
    return file
