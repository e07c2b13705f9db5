"""Checks that the timestamps and figures of a record agree with each other, without counts or rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.clients.times import epoch_seconds
from lab.drills.evidence import definitions
from lab.drills.evidence.milestones import changes
from lab.drills.schema.record import Record
from lab.errors import UsageError

# Timestamps are rounded to the millisecond independently.
ROUNDING_SECONDS = 0.002
# Prometheus and Alertmanager round the time of one evaluation differently.
SAME_SECONDS = 0.05
# Kinds of timeline rows, and the fields of the expected alert's page that they come from.
_OF_PAGE = {"firing": "starts_at", "page": "received_at", "ack": "acked_at", "resolved": "resolved_at"}


def incoherent(record: Record) -> Iterator[str]:
    """The contradictions in a record that is valid by the schema, as `/key: what is wrong`."""
    unreadable = list(_unreadable(record))
    yield from unreadable
    if unreadable:
        return
    yield from _order(record)
    yield from _timeline(record)
    yield from _page(record)
    yield from _figures(record)


def _timestamps(record: Record) -> Iterator[tuple[str, str]]:
    yield from (("/started_at", record.started_at), ("/t0", record.t0), ("/ended_at", record.ended_at))
    parts: tuple[tuple[str, Sequence[object], tuple[str, ...]], ...] = (
        ("timeline", record.timeline, ("at",)),
        ("alerts", record.alerts, ("starts_at", "ends_at")),
        ("pages", record.pages, ("starts_at", "received_at", "acked_at", "resolved_at")),
        ("actions", record.actions, ("at",)),
    )
    for part, rows, keys in parts:
        for index, row in enumerate(rows):
            timestamps = ((key, getattr(row, key)) for key in keys)
            yield from ((f"/{part}/{index}/{key}", at) for key, at in timestamps if at is not None)


def _unreadable(record: Record) -> Iterator[str]:
    for key, text in _timestamps(record):
        try:
            epoch_seconds(str(text))
        except UsageError as error:
            yield f"{key}: {error}"


def _order(record: Record) -> Iterator[str]:
    """Timestamps in the wrong order, such as an end before its start or an acknowledgement before its page."""
    pairs = [("", "started_at", "t0"), ("", "t0", "ended_at")]
    pairs += [(f"/alerts/{i}", "starts_at", "ends_at") for i in range(len(record.alerts))]
    for index in range(len(record.pages)):
        pairs += [(f"/pages/{index}", "starts_at", "received_at"), (f"/pages/{index}", "starts_at", "resolved_at")]
        pairs += [(f"/pages/{index}", "received_at", "acked_at")]
    known = dict(_timestamps(record))
    for place, first, then in pairs:
        before, after = known.get(f"{place}/{first}"), known.get(f"{place}/{then}")
        if before and after and epoch_seconds(after) < epoch_seconds(before):
            yield f"{place}/{then}: {after} is before {first}, {before}"
    for index, row in enumerate(record.actions):
        if epoch_seconds(row.at) > epoch_seconds(record.ended_at):
            yield f"/actions/{index}/at: {row.at} is after ended_at, {record.ended_at}"


def _timeline(record: Record) -> Iterator[str]:
    """A timeline without the injection, and rows whose t_seconds is not their timestamp less t0."""
    zero = epoch_seconds(record.t0)
    if not any(row.kind == "inject" for row in record.timeline):
        yield "/timeline: has no row of kind inject"
    rows = [(f"/timeline/{i}", "at", row.at, row.t_seconds) for i, row in enumerate(record.timeline)]
    rows += [(f"/alerts/{i}", "starts_at", row.starts_at, row.t_seconds) for i, row in enumerate(record.alerts)]
    for place, key, at, t_seconds in rows:
        since = epoch_seconds(at) - zero
        if abs(since - t_seconds) > ROUNDING_SECONDS:
            yield f"{place}/t_seconds: is {t_seconds:g}, but {key} less t0 is {since:.3f}"


def _page(record: Record) -> Iterator[str]:
    """Milestones of the expected alert that differ between the timeline and its pages or its span in /alerts."""
    prediction = record.prediction
    if prediction is None:
        return
    expected = (prediction.alert, prediction.severity)
    notices = [(i, page) for i, page in enumerate(record.pages) if (page.alertname, page.severity) == expected]
    at = first_occurrences(record)
    if not notices:
        if "page" in at:
            yield f"/pages: has no {prediction.severity} {prediction.alert}, but the timeline has its delivery"
        return
    index, page = notices[0]
    zero = epoch_seconds(record.t0)
    for kind, key in _OF_PAGE.items():
        if kind == "resolved":  # if the alert fired again, its last page has its end
            index, page = notices[-1]
        timestamp: str | None = getattr(page, key)
        seconds = None if timestamp is None else epoch_seconds(timestamp) - zero
        if kind == "resolved" and kind not in at:
            continue
        if (seconds is None) != (kind not in at) or (
            seconds is not None and abs(seconds - at[kind]) > ROUNDING_SECONDS
        ):
            yield f"/pages/{index}/{key}: is {timestamp}, but the timeline's {kind} is {_shown(at.get(kind))}"
    starts = [row.t_seconds for row in record.alerts if (row.name, row.severity) == expected]
    if starts and "firing" in at and min(abs(start - at["firing"]) for start in starts) > SAME_SECONDS:
        index, page = notices[0]
        fired = f"but /alerts has {prediction.alert} at {_shown(starts[0])}"
        yield f"/pages/{index}/starts_at: is {page.starts_at}, {fired}"


def _figures(record: Record) -> Iterator[str]:
    """Durations that do not follow from the timeline."""
    at: dict[str, float | None] = dict(first_occurrences(record))
    rows = [row for row in record.timeline if row.kind == "action"]
    pointers = [((row.evidence and row.evidence.pointer) or "").rpartition("/")[2] for row in rows]
    done = [record.actions[int(number)] for number in pointers if number.isdigit()]
    good = at.get("recovered", at.get("resolved") if record.prediction and not _has_recovery(record) else None)
    at["action"] = definitions.mitigation(changes(done, epoch_seconds(record.t0)), good)
    ran = epoch_seconds(record.ended_at) - epoch_seconds(record.started_at)
    durations = definitions.durations(at, ran)
    for key in durations.__struct_fields__:
        recorded, value = record.durations.of(key), durations.of(key)
        differs = recorded is not None and value is not None and abs(recorded - value) > 0.003
        if differs or (recorded is None) != (value is None):
            yield f"/durations/{key}: is {_shown(recorded)}, but by the timeline {_shown(value)}"


def first_occurrences(record: Record) -> dict[str, float]:
    """The first occurrence of each kind of timeline row, in seconds after the injection."""
    first: dict[str, float] = {}
    for row in sorted(record.timeline, key=lambda row: row.t_seconds):
        first.setdefault(row.kind, float(row.t_seconds))
    return first


def _has_recovery(record: Record) -> bool:
    return any(check.name in ("sli_recovered", "restored") for check in record.verdict.checks)


def _shown(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.3f} s"
