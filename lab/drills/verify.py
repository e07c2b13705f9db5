"""Does a record prove itself? Its alerts are computed again from its counts, its figures from its instants.

What fired must be what the rules make of the counts: by the tier that was predicted, within one scrape and one
evaluation, and for as long. Every budget is whole at the injection, so that nothing but this incident can have fired.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.drills import burning, definitions, promise
from lab.drills.coherent import incoherent
from lab.errors import LabError
from lab.oncall.times import epoch_seconds
from lab.slo import replay
from lab.slo.budget import interval_seconds
from lab.slo.model import SEVERITIES, TICKET, EventsSli, Slo, Windows
from lab.slo.replay import Counts, Span

# A budget that is 100 % to the whole percent at the injection: the odd slow request of a steady minute is no incident.
WHOLE_BUDGET_RATIO = 0.995
# Alerts are recorded from here on before the injection.
BEFORE_SECONDS = 30


@dataclass(frozen=True)
class Row:
    """One alert: when it was predicted, computed and measured to fire, and to clear, in seconds after the injection."""

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
    """What a record says, and `problems` as `/key: what is wrong`; none when it proves itself."""

    rows: list[Row]
    problems: list[str]


def verify(document: Mapping[str, Any]) -> Verification:
    """Check a record that is valid by the schema."""
    problems = list(incoherent(document))
    if problems:
        return Verification([], problems)
    rows: list[Row] = []
    windows = promise.windows()
    for sloth_id, (slo, _) in sorted(promise.all_slos().items()):
        if not isinstance(slo.sli, EventsSli):
            continue
        try:
            counts = burning.counts_of(document["counts"], sloth_id)
        except LabError as error:
            problems.append(str(error))
            continue
        problems += _counted(document, slo, windows, counts)
        for severity in SEVERITIES:
            found = _alert(document, slo, windows, counts, severity)
            rows += found.rows
            problems += found.problems
    return Verification([*_expected_first(document, rows)], problems)


def allowance_seconds(document: Mapping[str, Any], windows: Windows, severity: str) -> float:
    """One scrape and one evaluation: tickets are evaluated more seldom."""
    lab = document["lab"]
    evaluation = lab["evaluation_interval_seconds"] if severity != TICKET else interval_seconds(windows)
    return float(lab["scrape_interval_seconds"] + evaluation)


def _counted(document: Mapping[str, Any], slo: Slo, windows: Windows, counts: Counts) -> Iterator[str]:
    """The sums of the counts, and what of the budget they make."""
    key, row = slo.sloth_id, document["counts"][slo.sloth_id]
    for name in ("total", "bad"):
        events = round(sum(value or 0 for value in row[name]), 3)
        if abs(events - row[f"{name}_events"]) > 0.001:
            yield f"/counts/{key}/{name}_events: is {row[f'{name}_events']:g}, {name} adds up to {events:g}"
        if any(value is not None and value < 0 for value in row[name]):
            yield f"/counts/{key}/{name}: holds a count below zero"
    until, last = _until(document), counts.at(counts.size - 1)
    if last < until - BEFORE_SECONDS:
        yield f"/counts/{key}/total: ends {last:.0f} s after the injection, the run after {until:.0f} s"
    spent = document["budget"].get(key)
    if spent is None:
        yield f"/budget/{key}: is missing; record the drill again"
        return
    for name, value in definitions.budget(counts, until, slo, windows.period_seconds).items():
        if abs(spent[name] - value) > (0 if name.endswith("_events") else 0.001 * max(1.0, value)):
            yield f"/budget/{key}/{name}: is {spent[name]:g}, the counts make it {value:g}"
    left = definitions.budget_at_start_ratio(counts, until, slo, windows.period_seconds)
    if left < WHOLE_BUDGET_RATIO:
        yield f"/counts/{key}/bad: the budget stood at {left:.1%} at the injection, not at 100 %"


def _alert(document: Mapping[str, Any], slo: Slo, windows: Windows, counts: Counts, severity: str) -> Verification:
    """One alert of an SLO: each time that it fired or must have fired."""
    allowance = allowance_seconds(document, windows, severity)
    until = _until(document)
    prediction = document["prediction"] or {}
    expected = (prediction.get("alert"), prediction.get("severity")) == (slo.alert_name, severity)
    computed = _merged([one for one in replay.spans(counts, slo, windows, severity) if one.start <= until], allowance)
    recorded = _merged(list(_recorded(document, slo.sloth_id, severity)), allowance)
    pairs: list[tuple[Span | None, Span | None]] = [(must, _matching(must, recorded)) for must in computed]
    pairs += [(None, one) for one in recorded if one not in [did for _, did in pairs]]
    rows: list[Row] = []
    problems: list[str] = []
    for must, did in sorted(pairs, key=lambda pair: (pair[1] or pair[0] or _NEVER).start):
        if must and (must.end or until) < -BEFORE_SECONDS:
            continue
        if (must is None or did is None) and _brief(must or did, until, allowance):
            continue
        wrong = list(_disagreement(slo.alert_name, severity, must, did, until, allowance))
        first = expected and not rows
        if first and must and must.tier != prediction["tier"]:
            wrong.append(f"/prediction/tier: {prediction['tier']} was predicted, by the counts {must.tier} fired")
        problems += wrong
        rows.append(
            Row(
                drill=document["drill"]["id"],
                alert=slo.alert_name,
                severity=severity,
                tier=must.tier if must else None,
                predicted=prediction["detection_seconds"] if first else None,
                bound=bool(first and prediction["bound"]),
                computed=must.start if must else None,
                measured=did.start if did else None,
                computed_end=must.end if must else None,
                measured_end=did.end if did else None,
                agrees=not wrong,
            )
        )
    return Verification(rows, problems)


_NEVER = Span(0.0, None, "")


def _recorded(document: Mapping[str, Any], sloth_id: str, severity: str) -> Iterator[Span]:
    """When a burn-rate alert fired, by the record; in the place of a tier stands the index of the row."""
    t0 = epoch_seconds(document["t0"])
    for index, row in enumerate(document["alerts"]):
        if row["labels"].get("sloth_id") == sloth_id and row["severity"] == severity:
            end = None if row["ends_at"] is None else epoch_seconds(row["ends_at"]) - t0
            yield Span(epoch_seconds(row["starts_at"]) - t0, end, str(index))


def _disagreement(
    alert: str, severity: str, must: Span | None, did: Span | None, until: float, allowance: float
) -> Iterator[str]:
    name = f"{severity} {alert}"
    if did is None and must is not None:
        yield f"/alerts: {name} is missing, by /counts {must.tier} fired {must.start:.1f} s after the injection"
    if did is None:
        return
    key = f"/alerts/{did.tier}"
    if must is None:
        yield f"{key}/starts_at: {name} fired {did.start:.1f} s after the injection, by /counts it must not have"
        return
    if did.start > -BEFORE_SECONDS + allowance and abs(did.start - must.start) > allowance:
        yield (
            f"{key}/starts_at: {name} fired {did.start:.1f} s after the injection, by /counts at {must.start:.1f} s;"
            f" one scrape and one evaluation allow {allowance:g} s"
        )
    did_end, must_end = did.end or until, min(until, must.end or until)
    if abs(did_end - must_end) > allowance:
        yield (
            f"{key}/ends_at: {name} cleared {did_end:.1f} s after the injection, by /counts at {must_end:.1f} s;"
            f" one scrape and one evaluation allow {allowance:g} s"
        )


def _matching(must: Span, recorded: list[Span]) -> Span | None:
    """The recorded span that overlaps the computed one, the nearest by its start."""
    ends = must.end if must.end is not None else float("inf")
    near = [
        one
        for one in recorded
        if one.start < ends + 1 and (one.end if one.end is not None else float("inf")) > must.start - 1
    ]
    return min(near, key=lambda one: abs(one.start - must.start), default=None)


def _merged(spans: list[Span], gap: float) -> list[Span]:
    """Spans no further apart than `gap` as one: between two evaluations nothing can be told apart."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda one: one.start):
        before = found[-1] if found else None
        if before and (before.end is None or span.start - before.end <= gap):
            found[-1] = Span(before.start, None if before.end is None else span.end, before.tier)
        else:
            found.append(span)
    return found


def _brief(span: Span | None, until: float, allowance: float) -> bool:
    """Whether a span is too short, or began too late, to be seen by the other side in any case."""
    return span is not None and min(until, span.end or until) - span.start <= allowance


def _until(document: Mapping[str, Any]) -> float:
    return epoch_seconds(document["ended_at"]) - epoch_seconds(document["t0"])


def _expected_first(document: Mapping[str, Any], rows: list[Row]) -> Iterator[Row]:
    """The expected alert, or why there is nothing to compute, then every other burn-rate alert that fired."""
    prediction, drill = document["prediction"], document["drill"]["id"]
    if prediction is None:
        yield Row(drill, "-", "-", note="control: nobody may be paged")
    elif not any(row.predicted is not None for row in rows):
        yield Row(
            drill,
            prediction["alert"],
            prediction["severity"],
            predicted=prediction["detection_seconds"],
            bound=prediction["bound"],
            measured=document["durations"]["detection_seconds"],
            measured_end=document["durations"]["resolved_seconds"],
            note="not a burn rate; nothing to compute" if prediction["tier"] is None else "did not fire",
        )
    yield from sorted(rows, key=lambda row: (row.predicted is None, row.measured or row.computed or 0.0))
