"""The milestones of an incident, from Prometheus, the pager and the audit log, and their rows of the timeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.clients.documents import AuditRow, Page
from lab.clients.times import epoch_seconds
from lab.control import audit
from lab.drills.evidence import burn_replay, collect, definitions
from lab.drills.evidence.definitions import Change, Milestones
from lab.drills.evidence.signals import sli_name
from lab.drills.run.diagnosis import DIAGNOSE, HINT
from lab.drills.run.incident import Incident
from lab.drills.schema.measurements import SignalSamples, SloCounts
from lab.drills.schema.parts import Samples
from lab.drills.schema.record import Evidence, Kind
from lab.drills.undo.journal import CLEANER
from lab.oncall import own_pages
from lab.slo.catalogue import find_slo
from lab.slo.model import Slo

KINDS: dict[str, Kind] = {DIAGNOSE: "diagnosis", HINT: "hint"}


def read(incident: Incident, sampled: list[SignalSamples]) -> Milestones:
    """The milestones by name, in seconds after the injection; None for one that never happened."""
    page = incident.page
    milestones: dict[str, float | None] = dict.fromkeys(
        ("sli_bad", "firing", "page", "ack", "diagnosis", "action", "recovered", "resolved")
    )
    if incident.slo is not None:
        values, start = _values(sampled, incident.slo)
        milestones["sli_bad"] = collect.sli_bad_at(values, start, incident.slo.budget_ratio)
        if page is not None:
            milestones["recovered"] = _recovered(incident, sampled, incident.since_t0(epoch_seconds(page.starts_at)))
    elif page is not None and incident.drill.restored is not None:
        milestones["recovered"] = _restored(incident, incident.drill.restored.query, epoch_seconds(page.starts_at))
    if page is not None:
        for name, key in (
            ("firing", "starts_at"),
            ("page", "received_at"),
            ("ack", "acked_at"),
        ):
            at: str | None = getattr(page, key)
            milestones[name] = incident.since_t0(epoch_seconds(at)) if at else None
        # An alert that fired again is resolved when its last page is.
        ends = [notice.resolved_at for notice in incident.expected()] or [page.resolved_at]
        known = [epoch_seconds(end) for end in ends if end]
        milestones["resolved"] = incident.since_t0(max(known)) if len(known) == len(ends) else None
        if (end := milestones["resolved"]) is not None and incident.t0 + end > incident.ended_at:
            milestones["resolved"] = None  # the clean-up resolved it
    good = milestones["recovered"] if _has_recovery(incident) else milestones["resolved"]
    milestones["action"] = definitions.mitigation(changes(incident.responder_actions(), incident.t0), good)
    diagnoses = [row.t_seconds for row in incident.timeline if row.kind == "diagnosis"]
    diagnoses += [incident.since_t0(epoch_seconds(row.at)) for row in incident.actions() if row.action == DIAGNOSE]
    milestones["diagnosis"] = min(diagnoses, default=None)
    return {name: None if at is None else round(at, 3) for name, at in milestones.items()}


def changes(actions: Iterable[AuditRow], t0: float) -> list[Change]:
    """The successful audit rows as changes of one setting each; `t0` in epoch seconds."""
    made = []
    for row in actions:
        if row.outcome != "done":
            continue
        at, what = epoch_seconds(row.at) - t0, f"{row.action.partition(' ')[0]} {row.target}"
        old, new = row.old, row.new
        if isinstance(old, dict) and isinstance(new, dict):
            # The version of a configuration also increases when its settings are reverted.
            keys = sorted((old.keys() | new.keys()) - {"version"})
            made += [Change(at, f"{what} {key}", old.get(key), new.get(key)) for key in keys]
        else:
            made.append(Change(at, what, old, new))
    return made


def _values(sampled: list[SignalSamples], slo: Slo) -> tuple[Samples, float]:
    return next((signal.values, signal.start_seconds) for signal in sampled if signal.name == sli_name(slo))


def _recovered(incident: Incident, sampled: list[SignalSamples], after: float) -> float | None:
    """When the last of the services' SLIs recovered, in seconds after the injection; None if one did not."""
    recoveries = []
    for slo in incident.slos():
        values, start = _values(sampled, slo)
        until = round(incident.since_t0(incident.ended_at) - start) + 1
        recoveries.append(collect.sli_recovered_at(values[:until], start, slo.budget_ratio, after))
    return None if None in recoveries else max(at for at in recoveries if at is not None)


def _restored(incident: Incident, query: str, after: float) -> float | None:
    """When the drill's own condition held for good, in seconds after the injection; `after` in epoch seconds."""
    matrix = incident.clients.prometheus.range(query, after, incident.ended_at)
    times = [at for series in matrix for at, _ in series.points]
    at = collect.holds_from(times, incident.ended_at)
    return None if at is None else incident.since_t0(at)


def _has_recovery(incident: Incident) -> bool:
    """Whether an SLI or a condition of the drill shows the recovery, and not the alert alone."""
    return incident.slo is not None or incident.drill.restored is not None


def put_on_timeline(incident: Incident, milestones: Milestones, counts: Mapping[str, SloCounts]) -> None:
    """Add the milestones and the audit rows to the timeline.

    `counts` are the record's; the ratios in the windows when the alert fired are computed from them.
    """
    page, sli = incident.page, incident.sli_query() if incident.slo else ""
    actions = incident.actions()
    rows: dict[Kind, tuple[str, str, str, Evidence]] = {
        "sli_bad": (
            f"{incident.slo.sloth_id if incident.slo else ''} outside its objective",
            "",
            "prometheus",
            Evidence(query=sli),
        ),
    }
    if page is not None:
        fired = _burn(incident, page, counts) or page.description
        own = own_pages.is_own(page.fingerprint)
        fired_by, sent_by = ("pager", "pager") if own else ("prometheus", "alertmanager")
        rows["firing"] = (f"{page.alertname} firing", fired, fired_by, Evidence(pointer="/alerts"))
        rows["page"] = (
            f"{page.severity.title()} {page.id} delivered",
            page.summary,
            sent_by,
            Evidence(pointer="/pages/0"),
        )
        rows["ack"] = (
            f"{page.severity.title()} {page.id} acknowledged",
            "",
            page.acked_by or "",
            Evidence(pointer="/pages/0"),
        )
        services = " and ".join(incident.drill.services)
        rows["recovered"] = (f"Every SLI of {services} inside its objective", "", "prometheus", Evidence(query=sli))
        if (condition := incident.drill.restored) is not None and incident.slo is None:
            title = condition.means[:1].upper() + condition.means[1:]
            rows["recovered"] = (title, "", "prometheus", Evidence(query=condition.query))
        rows["resolved"] = (f"{page.alertname} resolved", "", sent_by, Evidence(pointer="/pages/0"))
    for kind, (title, detail, by, evidence) in rows.items():
        if (at := milestones[kind]) is not None:
            incident.note(kind, title, detail, by=by, at=incident.t0 + at, evidence=evidence)
    for index, row in enumerate(actions):
        if epoch_seconds(row.at) <= incident.ended_at and row.actor != CLEANER:
            kind = "inject" if row.actor in incident.drill.actors else KINDS.get(row.action, "action")
            detail = ": ".join(text for text in (row.outcome, row.reason) if text not in ("", "done"))
            at = epoch_seconds(row.at)
            incident.note(
                kind, change(row), detail, by=row.actor, at=at, evidence=Evidence(pointer=f"/actions/{index}")
            )
    if incident.drill.faults and not any(row.kind == "inject" for row in incident.timeline):
        incident.note("inject", f"Fault injected: {incident.drill.fault_kind}", at=incident.t0)


def _burn(incident: Incident, page: Page, counts: Mapping[str, SloCounts]) -> str:
    """The ratios in a burn-rate alert's windows when it fired, in words; "" for an alert of another kind."""
    sloth_id = page.labels.get("sloth_id", "")
    if sloth_id not in counts:
        return ""
    slo, at = find_slo(sloth_id), incident.since_t0(epoch_seconds(page.starts_at))
    events = burn_replay.counts_of(counts, sloth_id)
    return burn_replay.stated(events, slo, incident.windows, page.severity, at)


def change(row: AuditRow) -> str:
    """An audit row in a phrase: `canary weight: 50 → 0`, `flag set canary: on → off`, `service restart feed`."""
    what = row.action if row.target == "gateway" else f"{row.action} {row.target}"
    return what if row.old is None else f"{what}: {audit.stated(row.old)} → {audit.stated(row.new)}"
