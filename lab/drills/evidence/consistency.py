"""Do the instants and figures of a record agree with each other? No counts, no rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lab.clients.times import epoch_seconds
from lab.drills.evidence import definitions
from lab.drills.evidence.milestones import changes
from lab.errors import UsageError

# Instants are written to the millisecond, each rounded by itself.
ROUNDING_SECONDS = 0.002
# Prometheus and Alertmanager round the same evaluation each in its own way.
SAME_SECONDS = 0.05
# The page of the expected alert, its delivery and its end, as the timeline calls them.
_OF_PAGE = {"firing": "starts_at", "page": "received_at", "ack": "acked_at", "resolved": "resolved_at"}


def incoherent(document: Mapping[str, Any]) -> Iterator[str]:
    """What contradicts itself in a record that is valid by the schema, as `/key: what is wrong`."""
    unreadable = list(_unreadable(document))
    yield from unreadable
    if unreadable:
        return
    yield from _order(document)
    yield from _timeline(document)
    yield from _page(document)
    yield from _figures(document)


def _instants(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("started_at", "t0", "ended_at"):
        yield f"/{key}", document[key]
    for part, keys in (
        ("timeline", ("at",)),
        ("alerts", ("starts_at", "ends_at")),
        ("pages", ("starts_at", "received_at", "acked_at", "resolved_at")),
        ("actions", ("at",)),
    ):
        for index, row in enumerate(document[part]):
            yield from ((f"/{part}/{index}/{key}", row[key]) for key in keys if row[key] is not None)


def _unreadable(document: Mapping[str, Any]) -> Iterator[str]:
    for key, text in _instants(document):
        try:
            epoch_seconds(str(text))
        except UsageError as error:
            yield f"{key}: {error}"


def _order(document: Mapping[str, Any]) -> Iterator[str]:
    """Nothing ends before it begins, and nothing happens to a page before it is there."""
    pairs = [("", "started_at", "t0"), ("", "t0", "ended_at")]
    pairs += [(f"/alerts/{i}", "starts_at", "ends_at") for i in range(len(document["alerts"]))]
    for index in range(len(document["pages"])):
        pairs += [(f"/pages/{index}", "starts_at", "received_at"), (f"/pages/{index}", "starts_at", "resolved_at")]
        pairs += [(f"/pages/{index}", "received_at", "acked_at")]
    known = dict(_instants(document))
    for place, first, then in pairs:
        before, after = known.get(f"{place}/{first}"), known.get(f"{place}/{then}")
        if before and after and epoch_seconds(after) < epoch_seconds(before):
            yield f"{place}/{then}: {after} is before {first}, {before}"
    for index, row in enumerate(document["actions"]):
        if epoch_seconds(row["at"]) > epoch_seconds(document["ended_at"]):
            yield f"/actions/{index}/at: {row['at']} is after ended_at, {document['ended_at']}"


def _timeline(document: Mapping[str, Any]) -> Iterator[str]:
    """One time zero."""
    zero = epoch_seconds(document["t0"])
    rows = [(f"/timeline/{i}", "at", row) for i, row in enumerate(document["timeline"])]
    rows += [(f"/alerts/{i}", "starts_at", row) for i, row in enumerate(document["alerts"])]
    for place, key, row in rows:
        since = epoch_seconds(row[key]) - zero
        if abs(since - row["t_seconds"]) > ROUNDING_SECONDS:
            yield f"{place}/t_seconds: is {row['t_seconds']:g}, {key} less t0 is {since:.3f}"


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    """The timeline's instants of the expected alert are its first notice's, and its start is the alert's."""
    prediction = document["prediction"]
    if prediction is None:
        return
    wanted = (prediction["alert"], prediction["severity"])
    told = [(i, one) for i, one in enumerate(document["pages"]) if (one["alertname"], one["severity"]) == wanted]
    at = first_instants(document)
    if not told:
        if "page" in at:
            yield f"/pages: holds no {prediction['severity']} {prediction['alert']}, the timeline has its delivery"
        return
    index, page = told[0]
    zero = epoch_seconds(document["t0"])
    for kind, key in _OF_PAGE.items():
        if kind == "resolved":  # the last notice of an alert that fired again says when it was over
            index, page = told[-1]
        there = None if page[key] is None else epoch_seconds(page[key]) - zero
        if kind == "resolved" and kind not in at:
            continue
        if (there is None) != (kind not in at) or (there is not None and abs(there - at[kind]) > ROUNDING_SECONDS):
            yield f"/pages/{index}/{key}: is {page[key]}, the timeline's {kind} is {_shown(at.get(kind))}"
    starts = [row["t_seconds"] for row in document["alerts"] if (row["name"], row["severity"]) == wanted]
    if starts and "firing" in at and min(abs(start - at["firing"]) for start in starts) > SAME_SECONDS:
        index, page = told[0]
        fired = f"/alerts has {prediction['alert']} at {_shown(starts[0])}"
        yield f"/pages/{index}/starts_at: is {page['starts_at']}, {fired}"


def _figures(document: Mapping[str, Any]) -> Iterator[str]:
    """The durations are those of the instants."""
    at: dict[str, float | None] = dict(first_instants(document))
    rows = [row for row in document["timeline"] if row["kind"] == "action"]
    pointers = [(row["evidence"] or {}).get("pointer", "").rpartition("/")[2] for row in rows]
    done = [document["actions"][int(number)] for number in pointers if number.isdigit()]
    good = at.get("recovered", at.get("resolved") if document["prediction"] and not _has_sli(document) else None)
    at["action"] = definitions.mitigation(changes(done, epoch_seconds(document["t0"])), good)
    ran = epoch_seconds(document["ended_at"]) - epoch_seconds(document["started_at"])
    for key, value in definitions.durations(at, ran).items():
        said = document["durations"][key]
        if (said is None) != (value is None) or (said is not None and value is not None and abs(said - value) > 0.003):
            yield f"/durations/{key}: is {_shown(said)}, the timeline makes it {_shown(value)}"


def first_instants(document: Mapping[str, Any]) -> dict[str, float]:
    """The first instant of each kind on the timeline, in seconds after the injection."""
    found: dict[str, float] = {}
    for row in sorted(document["timeline"], key=lambda row: float(row["t_seconds"])):
        found.setdefault(row["kind"], float(row["t_seconds"]))
    return found


def _has_sli(document: Mapping[str, Any]) -> bool:
    return any(check["name"] == "sli_recovered" for check in document["verdict"]["checks"])


def _shown(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.3f} s"
