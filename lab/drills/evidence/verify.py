"""Verifies a record: recomputes its alerts from its counts, and its figures from its timeline.

Each alert must have fired as the rules do on these counts: by the predicted tier, within one scrape and one evaluation,
and for the same time. Every budget must be full at the injection, so that only this incident can have raised an alert.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from lab.clients.documents import as_builtins
from lab.clients.times import epoch_seconds
from lab.drills.evidence import burn_replay, definitions
from lab.drills.evidence.consistency import incoherent
from lab.drills.schema.record import Record
from lab.errors import LabError
from lab.slo import replay
from lab.slo.catalogue import LAB, load_specs, load_windows
from lab.slo.model import PAGE, SEVERITIES, TICKET, EventsSli, Slo, Windows
from lab.slo.rendering.budget import interval_seconds
from lab.slo.replay import Counts, Span

# Less than 1, because a few slow requests before the injection are not an incident.
WHOLE_BUDGET_RATIO = 0.995
# What a notice says is rounded to four digits.
ROUNDED_RATIO = 0.0005
_PERCENT = re.compile(r"([\d.]+)%")
# Two timestamps this close are the same.
SAME_SECONDS = 0.005
# Alerts are recorded from this long before the injection.
BEFORE_SECONDS = 30


@dataclass(frozen=True)
class Row:
    """One alert: its predicted, computed and measured firing, and its clearing, in seconds after the injection."""

    drill: str
    alert: str
    severity: str
    tier: str | None = None
    predicted: float | None = None
    bound: bool = False
    computed: float | None = None
    measured: float | None = None
    computed_end: float | None = None
    measured_end: float | None = None
    agrees: bool = True
    note: str = ""


@dataclass(frozen=True)
class Verification:
    """The alerts of a record, and its `problems` as `/key: what is wrong`; none if the record is consistent."""

    rows: list[Row]
    problems: list[str]


def verify(record: Record) -> Verification:
    """Verify a record that is valid by the schema."""
    problems = list(incoherent(record))
    if problems:
        return Verification([], problems)
    rows: list[Row] = []
    windows = load_windows(LAB)
    for sloth_id, slo in sorted((slo.sloth_id, slo) for slo in load_specs()):
        if not isinstance(slo.sli, EventsSli):
            continue
        try:
            counts = burn_replay.counts_of(record.counts, sloth_id)
        except LabError as error:
            problems.append(str(error))
            continue
        problems += _counted(record, slo, windows, counts)
        problems += _words(record, slo, windows, counts)
        for severity in SEVERITIES:
            alert = _alert(record, slo, windows, counts, severity)
            rows += alert.rows
            problems += alert.problems
    return Verification([*_expected_first(record, rows)], problems)


def allowance_seconds(record: Record, windows: Windows, severity: str) -> float:
    """One scrape interval plus one evaluation interval, which is longer for tickets."""
    lab = record.lab
    evaluation = lab.evaluation_interval_seconds if severity != TICKET else interval_seconds(windows)
    return float(lab.scrape_interval_seconds + evaluation)


def _counted(record: Record, slo: Slo, windows: Windows, counts: Counts) -> Iterator[str]:
    """Problems with the sums of the counts, and with the budget that follows from them."""
    key, row = slo.sloth_id, record.counts[slo.sloth_id]
    for name, values, stated in (("total", row.total, row.total_events), ("bad", row.bad, row.bad_events)):
        events = round(sum(value or 0 for value in values), 3)
        if abs(events - stated) > 0.001:
            yield f"/counts/{key}/{name}_events: is {stated:g}, but {name} adds up to {events:g}"
        if any(value is not None and value < 0 for value in values):
            yield f"/counts/{key}/{name}: contains a negative count"
    until, last = _until(record), counts.at(counts.size - 1)
    if last < until - BEFORE_SECONDS:
        yield f"/counts/{key}/total: ends {last:.0f} s after the injection, but the run after {until:.0f} s"
    spent = record.budget.get(key)
    if spent is None:
        yield f"/budget/{key}: is missing; record the drill again"
        return
    for name, value in as_builtins(definitions.budget(counts, until, slo, windows.period_seconds)).items():
        stated = getattr(spent, name)
        if abs(stated - value) > (0 if name.endswith("_events") else 0.001 * max(1.0, value)):
            yield f"/budget/{key}/{name}: is {stated:g}, but by the counts {value:g}"
    left = definitions.budget_at_start_ratio(counts, until, slo, windows.period_seconds)
    if left < WHOLE_BUDGET_RATIO:
        yield f"/counts/{key}/bad: the budget stood at {left:.1%} at the injection, not at 100 %"


def _words(record: Record, slo: Slo, windows: Windows, counts: Counts) -> Iterator[str]:
    """Problems with what the timeline says of the expected alert, and with the words that its pages came with."""
    expected = record.prediction
    for index, event in enumerate(record.timeline):
        if expected and event.kind == "firing" and expected.alert == slo.alert_name:
            follows = burn_replay.stated(counts, slo, windows, expected.severity, event.t_seconds)
            if event.detail != follows:
                yield f"/timeline/{index}/detail: is {event.detail!r}, but by the counts {follows!r}"
    t0, allowance = epoch_seconds(record.t0), int(allowance_seconds(record, windows, PAGE))
    for index, page in enumerate(record.pages):
        said = _PERCENT.match(page.annotations.get("description", ""))
        if said is None or (page.alertname, page.severity) != (slo.alert_name, PAGE):
            continue
        at = epoch_seconds(page.starts_at) - t0
        near = [
            state.short
            for second in range(-allowance, allowance + 1)
            for state in burn_replay.states(counts, slo, windows, PAGE, at + second)
            if state.short is not None
        ]
        if not min(near, default=0) - ROUNDED_RATIO <= float(said[1]) / 100 <= max(near, default=0) + ROUNDED_RATIO:
            yield f"/pages/{index}/annotations/description: says {said[1]} %, but by the counts {_range(near)}"


def _range(ratios: list[float]) -> str:
    return f"{min(ratios):.2%} to {max(ratios):.2%}" if ratios else "no event was counted"


def _alert(record: Record, slo: Slo, windows: Windows, counts: Counts, severity: str) -> Verification:
    """One alert of an SLO: a row for each time that it fired or had to fire."""
    allowance = allowance_seconds(record, windows, severity)
    until = _until(record)
    prediction = record.prediction
    if prediction and (prediction.alert, prediction.severity) != (slo.alert_name, severity):
        prediction = None
    computed = [span for span in replay.spans(counts, slo, windows, severity) if span.start <= until]
    recorded = list(_recorded(record, slo.sloth_id, severity))
    rows: list[Row] = []
    problems: list[str] = []
    for must, did in _episodes(computed, recorded, allowance, until):
        wrong = [
            f"{key}: {severity} {slo.alert_name} {text}" for key, text in _disagreement(must, did, until, allowance)
        ]
        if not wrong and not (must and did):
            continue  # shorter than the allowance
        tier = must[0].tier if must else None
        first = prediction if not rows else None
        if first and tier and tier != first.tier:
            wrong.append(f"/prediction/tier: {first.tier} was predicted, but by the counts {tier} fired")
        problems += wrong
        rows.append(
            Row(
                drill=record.drill.id,
                alert=slo.alert_name,
                severity=severity,
                tier=tier,
                predicted=first.detection_seconds if first else None,
                bound=bool(first and first.bound),
                computed=must[0].start if must else None,
                measured=did[0].start if did else None,
                computed_end=must[-1].end if must else None,
                measured_end=did[-1].end if did else None,
                agrees=not wrong,
            )
        )
    return Verification(rows, problems)


def _recorded(record: Record, sloth_id: str, severity: str) -> Iterator[Span]:
    """The recorded spans of a burn-rate alert; their `tier` holds the index of the row in /alerts."""
    t0 = epoch_seconds(record.t0)
    for index, row in enumerate(record.alerts):
        if row.labels.get("sloth_id") == sloth_id and row.severity == severity:
            end = None if row.ends_at is None else epoch_seconds(row.ends_at) - t0
            yield Span(epoch_seconds(row.starts_at) - t0, end, str(index))


def _episodes(
    computed: list[Span], recorded: list[Span], allowance: float, until: float
) -> Iterator[tuple[list[Span], list[Span]]]:
    """Pairs of the computed and the recorded spans that overlap or nearly follow each other."""
    together: tuple[list[Span], list[Span]] = ([], [])
    over = -float("inf")
    sides = [(span, 0) for span in computed] + [(span, 1) for span in recorded]
    for span, side in sorted(sides, key=lambda pair: pair[0].start):
        if (span.end or until) < -BEFORE_SECONDS:
            continue
        if span.start > over + 2 * allowance and any(together):
            yield together
            together = ([], [])
        together[side].append(span)
        over = max(over, until if span.end is None else span.end)
    if any(together):
        yield together


def _disagreement(must: list[Span], did: list[Span], until: float, allowance: float) -> Iterator[tuple[str, str]]:
    """(key, what is wrong) for each period longer than `allowance` in which only one of the two sides fires."""
    edges = sorted(
        {min(until, max(-BEFORE_SECONDS, at)) for span in (*must, *did) for at in (span.start, _end(span, until))}
    )
    apart: list[tuple[float, float, bool]] = []
    for start, end in pairwise(edges):
        middle = (start + end) / 2
        fires, must_fire = _fires(did, middle, until), _fires(must, middle, until)
        if fires == must_fire:
            continue
        if apart and apart[-1][1] == start and apart[-1][2] == fires:
            apart[-1] = (apart[-1][0], end, fires)
        else:
            apart.append((start, end, fires))
    for start, end, fires in apart:
        if end - start <= allowance or (start == -BEFORE_SECONDS and end - start <= 2 * allowance):
            continue
        allows = f"the tolerance of one scrape and one evaluation is {allowance:g} s"
        begun = next((span for span in did if abs(span.start - (start if fires else end)) < SAME_SECONDS), None)
        over = next((span for span in did if abs(_end(span, until) - (end if fires else start)) < SAME_SECONDS), None)
        if begun:
            when = f"at {end:.1f} s" if fires else f"at {start:.1f} s"
            when = when if _fires(must, end + SAME_SECONDS if fires else start + SAME_SECONDS, until) else "not then"
            yield f"/alerts/{begun.tier}/starts_at", f"fired at {begun.start:.1f} s, but by the counts {when}; {allows}"
        elif over:
            problem = f"cleared at {_end(over, until):.1f} s, but by the counts at {start if fires else end:.1f} s"
            yield f"/alerts/{over.tier}/ends_at", f"{problem}; {allows}"
        else:
            problem = "fired, but by the counts must not" if fires else "did not fire, but by the counts must"
            yield "/alerts", f"{problem}, from {start:.1f} to {end:.1f} s; {allows}"


def _fires(spans: list[Span], at: float, until: float) -> bool:
    return any(span.start <= at < _end(span, until) for span in spans)


def _end(span: Span, until: float) -> float:
    return until if span.end is None else span.end


def _until(record: Record) -> float:
    return epoch_seconds(record.ended_at) - epoch_seconds(record.t0)


def _expected_first(record: Record, rows: list[Row]) -> Iterator[Row]:
    """The expected alert (with a note if it has no computation), then every other burn-rate alert that fired."""
    prediction, drill = record.prediction, record.drill.id
    if prediction is None:
        yield Row(drill, "-", "-", note="control: nobody may be paged")
    elif not any(row.predicted is not None for row in rows):
        yield Row(
            drill,
            prediction.alert,
            prediction.severity,
            predicted=prediction.detection_seconds,
            bound=prediction.bound,
            measured=record.durations.detection_seconds,
            measured_end=record.durations.resolved_seconds,
            note="not a burn rate; nothing to compute" if prediction.tier is None else "did not fire",
        )
    yield from sorted(rows, key=lambda row: (row.predicted is None, row.measured or row.computed or 0.0))
