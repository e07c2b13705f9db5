"""Recorded changes besides single rollouts: a configuration push, a refusal by the policy, and healthy rollouts."""

from __future__ import annotations

from lab import units
from lab.clients.times import epoch_seconds
from lab.errors import LabError
from lab.rollout.judge import Verdict
from lab.rollout.record import RolloutRecord
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources.change_records import HEALTHY, HEALTHY_RUNS
from lab.site.sources.context import SiteContext
from lab.site.views.change.rollouts import link


def push_story(context: SiteContext, name: str) -> Markup:
    """A recorded configuration push: its replica's requests beside the others', the verdict, and how it ended."""
    record = context.rollouts.push(name)
    if record.step is None:
        raise LabError(f"docs/{context.rollouts.path(name)}: its replica was compared with no other")
    rows = [
        (slo, *(_bad(arms[arm].bad_requests, arms[arm].requests) for arm in ("canary", "stable")))
        for slo, arms in record.step.counts.items()
    ]
    table = html.table(
        ("SLO", f"Bad requests, {record.replica}", "Bad requests, the other replicas"), rows,
        label=f"Configuration push of {record.service}",
    )  # fmt: skip
    return table + Markup(
        '<p class="lab-note">{} {}, version {} → {}: {}. {} Lab time, {}x; {} from start to end; evidence {}.</p>'
    ).format(
        record.service, record.settings, record.old_version, record.new_version,
        html.badge("bad" if record.step.verdict is Verdict.FAIL else "ok", record.outcome),
        f"{record.reason[0].upper()}{record.reason[1:]}.", context.factor,
        units.seconds(epoch_seconds(record.ended_at) - epoch_seconds(record.started_at)), link(context, name),
    )  # fmt: skip


def refusal_story(context: SiteContext, name: str) -> Markup:
    """What the gate decided on each kind of change at one time, and why, from a record."""
    record = context.rollouts.refusal(name)
    levels = {"allow": "ok", "deny": "bad", "unknown": "warn"}
    alike: dict[tuple[str, str], list[str]] = {}
    for change, decision in record.decisions.items():
        alike.setdefault((decision.outcome, decision.reason), []).append(change)
    rows = [
        (", ".join(changes), html.badge(levels[outcome], outcome), html.wide(reason))
        for (outcome, reason), changes in alike.items()
    ]
    table = html.table(("Change", "Decision", "Reason"), rows, label=f"What the policy refused of {record.service}")
    return table + Markup('<p class="lab-note">Recorded {}; evidence {}.</p>').format(
        units.minute(record.at), link(context, name)
    )


def rollout_events(context: SiteContext, name: str) -> Markup:
    """What happened in a recorded rollout: when, its state, the weight, who decided, and why."""
    record = context.rollouts.rollout(name)
    start = epoch_seconds(record.events[0].at)
    rows = [
        (
            units.seconds(epoch_seconds(event.at) - start), event.phase, f"{event.weight_percent:g}{units.NBSP}%",
            event.by, html.wide(event.reason),
        )
        for event in record.events
    ]  # fmt: skip
    table = html.table(("After", "State", "Weight", "By", "Reason"), rows, label=f"Rollout {name}")
    return table + Markup('<p class="lab-note">Lab time, {}x; evidence {}.</p>').format(
        context.factor, link(context, name)
    )


def healthy_rollouts(context: SiteContext) -> str:
    """The recorded rollouts of the healthy version in words: how many were aborted, paged, and how long they took.

    LabError without any.
    """
    found = _healthy(context)
    if not found:
        raise LabError(
            f"docs/rollouts/{HEALTHY} holds no record; run 'python -m scripts.record_changes --healthy {HEALTHY_RUNS}'"
        )
    aborted = sum(record.outcome == "aborted" for record in found)
    took = sorted(epoch_seconds(record.events[-1].at) - epoch_seconds(record.events[0].at) for record in found)
    paged = sum(bool(record.pages) for record in found)
    return (
        f"{len(found)} recorded rollouts of the healthy version, {aborted or 'none'} of them aborted, a page during"
        f" {paged or 'none'} of them; from start to end"
        f" {units.seconds(took[0])} to {units.seconds(took[-1])}, the median {units.seconds(took[len(took) // 2])}"
    )


def _healthy(context: SiteContext) -> list[RolloutRecord]:
    names = sorted(f"{HEALTHY}/{file.stem}" for file in (context.rollouts.folder / HEALTHY).glob("*.json"))
    return [context.rollouts.rollout(name) for name in names]


def _bad(bad: list[int], requests: list[int]) -> str:
    return f"{bad[-1]} of {requests[-1]}"


VIEWS = (push_story, refusal_story, rollout_events, healthy_rollouts)
