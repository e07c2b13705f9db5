"""Recorded rollouts on pages: the evidence of harm over time, the steps, and the ungated incidents beside the judge."""

from __future__ import annotations

from lab import units
from lab.clients.times import epoch_seconds
from lab.drills.faults.canary import CanaryRamp
from lab.errors import LabError
from lab.rollout.judge import Limits, Verdict
from lab.rollout.recorded_step import Step, judgements
from lab.site.render import html, plot
from lab.site.render.html import Markup
from lab.site.sources import benchmarks
from lab.site.sources.context import SiteContext
from lab.site.views.change.simulations import simulated
from lab.slo.model import PAGE

UNGATED = ("INC-001", "INC-002")
GATED = "feed-1.1.0"  # the version of INC-001, rolled out by the controller
PUSHED = "feed-config-taken-back"  # pushed in stages, unlike the configuration of INC-002
TICKS = 8


def rollout_evidence(context: SiteContext, name: str) -> Markup:
    """The evidence of harm of each SLO and of all together over the last step of a recorded rollout.

    It is a power of ten, and the step fails at the threshold. The judge computes it from the record's counts.
    """
    record = context.rollouts.rollout(name)
    step = record.steps[-1]
    seen = judgements(step, record.policy.limits)
    threshold = seen[-1].harm_threshold_log10
    curves = [
        plot.Curve(
            slo, f"line--{index}", [(second, row.slos[index].harm_log10) for second, row in enumerate(seen, start=1)]
        )
        for index, slo in enumerate(row.slo for row in seen[0].slos)
    ]
    together = [(float(second), row.harm_log10) for second, row in enumerate(seen, start=1)]
    curves.append(plot.Curve("all SLOs together, which decides", "line--all", together, dots=True))
    values = [value for curve in curves for _, value in curve.points]
    low, high = min(0.0, *values), max(threshold, *values)
    instants = []
    if (failed := failed_after_seconds(step, record.policy.limits)) is not None:
        instants = [plot.Instant(failed, "aborted")]
    description = (
        f"Step {step.step + 1} of {record.service} {record.version}, {step.weight_percent:g} % of the clients."
        f" Horizontal: seconds since the step's counts began. Vertical: evidence that the canary's odds of a bad client"
        f" are more than {record.policy.margin:g} times those of stable, as a power of ten; at the end it is"
        f" {seen[-1].harm_log10:.1f}, and the step fails at {threshold:.1f}."
    )
    ident = f"evidence-{name.replace('.', '-')}"
    drawing = plot.plot(
        ident, f"Evidence of harm, {record.service} {record.version}", description,
        plot.Axis(0, len(seen) + 0.5, [(second, units.seconds(second)) for second in _ticks(len(seen))]),
        plot.Axis(low - 0.1, high + 0.5, [(power, f"{power}") for power in range(int(low), int(high) + 1)]),
        curves, levels=[plot.Level(threshold, f"threshold {threshold:.1f}")], instants=instants,
    )  # fmt: skip
    rows = [
        (units.seconds(second), *(f"{row.harm_log10:.2f}".replace("-", units.MINUS) for row in judged.slos),
         f"{judged.harm_log10:.2f}".replace("-", units.MINUS))
        for second, judged in enumerate(seen, start=1)
    ]  # fmt: skip
    head = ("After", *(curve.title for curve in curves[:-1]), "together")
    table = html.table(head, rows, label=f"Evidence of harm, {record.version}", numeric=True)
    caption = Markup("{} Lab time, {}x. Record: {}.").format(description, context.factor, link(context, name))
    title = "When is there enough evidence of harm?"
    return plot.figure(ident, title, caption, drawing + plot.key(curves), data=table)


def _ticks(seconds: int) -> range:
    return range(0, seconds + 1, max(1, -(-seconds // TICKS)))


def failed_after_seconds(step: Step, limits: Limits) -> int | None:
    """The scrape, one a second since the step's counts began, at which the judge fails a step; None if it does not."""
    seen = enumerate(judgements(step, limits), start=1)
    return next((second for second, judgement in seen if judgement.verdict is Verdict.FAIL), None)


def rollout_story(context: SiteContext, name: str) -> Markup:
    """The steps of a recorded rollout: weight, time, the canary's requests, the verdict and its reason."""
    record = context.rollouts.rollout(name)
    rows = [
        (
            f"{step.weight_percent:g}{units.NBSP}%" + (f", attempt {step.attempt}" if step.attempt > 1 else ""),
            units.seconds(max(len(arms["canary"].requests) for arms in step.counts.values())),
            max(arms["canary"].requests[-1] for arms in step.counts.values()),
            max(arms["canary"].bad_requests[-1] for arms in step.counts.values()),
            html.badge({Verdict.PASS: "ok", Verdict.FAIL: "bad"}.get(step.verdict, "warn"), step.verdict),
            html.wide(step.reason),
        )
        for step in record.steps
    ]
    head = ("Weight", "Time", "Requests on the canary", "Bad, of the worst SLO", "Verdict", "Reason")
    table = html.table(head, rows, label=f"Rollout of {record.service} {record.version}")
    return table + Markup(
        '<p class="lab-note">{} {} {}, {} from start to end, {}; lab time, {}x; evidence {}.</p>'
    ).format(
        record.service, record.version, record.outcome,
        units.seconds(epoch_seconds(record.events[-1].at) - epoch_seconds(record.events[0].at)),
        _pages(record.pages), context.factor, link(context, name),
    )  # fmt: skip


def gated_and_ungated(context: SiteContext) -> Markup:
    """The incidents of the ungated path beside the gated rollout of INC-001's version, all from their records."""
    gated = context.rollouts.rollout(GATED)
    step, slo = gated.steps[-1], _slo_at_stake(context, UNGATED[0])
    canary = step.counts[slo]["canary"]
    failed = failed_after_seconds(step, gated.policy.limits)
    if failed is None:
        raise LabError(f"docs/{context.rollouts.path(GATED)}: its last step did not fail, so it shows no judge")
    columns = [_ungated(context, ident) for ident in UNGATED]
    columns.append(
        (
            f"{gated.service} {gated.version}, with the judge",
            f"{step.weight_percent:g}{units.NBSP}% of the clients",
            units.number(canary.bad_requests[-1]),
            f"{canary.affected[-1]} of {canary.clients[-1] + step.counts[slo]['stable'].clients[-1]}",
            f"aborted after {units.seconds(failed)}; {_simulated(context, step)}",
            _pages(gated.pages),
            html.link(context.href(context.rollouts.path(GATED)), "record"),
        )
    )
    columns.append(_pushed(context))
    names = ("Change", "Reached", "Bad requests", "Clients affected, of all", "Noticed", "Pages", "Evidence")
    head, *rows = ((name, *cells) for name, *cells in zip(names, *columns, strict=True))
    table = html.table(head, rows, label="The ungated path and the judge")
    return table + Markup(
        '<p class="lab-note">Lab time, {}x. The first and the third are the same version: at a smaller weight it harms'
        " fewer clients each second, and the judge stops it sooner. Bad requests are those of the SLO at stake: {} for"
        " the first and the third, {} for the second; for the fourth they are those of the SLO with the most. The"
        " judge\u2019s time counts from the first scrape of the step.</p>"
    ).format(context.factor, slo, _slo_at_stake(context, UNGATED[1]))


def _simulated(context: SiteContext, step: Step) -> str:
    """How long simulated rollouts of a version that is bad for every request took at the weight of a recorded step."""
    found = [
        row for row in simulated(context).detection if (row.weight_percent, row.bad_ratio) == (step.weight_percent, 1)
    ]
    if not found or found[0].median_seconds is None or found[0].p95_seconds is None:
        raise LabError(f"docs/{benchmarks.FIGURES}: no simulated rollout at {step.weight_percent:g} % was aborted")
    return f"simulated {units.seconds(found[0].median_seconds)}, p95 {units.seconds(found[0].p95_seconds)}"


def _pushed(context: SiteContext) -> tuple[object, ...]:
    record = context.rollouts.push(PUSHED)
    if record.step is None or (failed := failed_after_seconds(record.step, record.policy.push_limits)) is None:
        raise LabError(f"docs/{context.rollouts.path(PUSHED)}: its replica did not fail, so it shows no judge")
    worst = max((arms["canary"] for arms in record.step.counts.values()), key=lambda arm: arm.bad_requests[-1])
    return (
        f"{record.service} configuration, in stages",
        f"one replica, {record.replica}",
        units.number(worst.bad_requests[-1]),
        units.ABSENT,
        f"taken back after {units.seconds(failed)}",
        _pages(record.pages),
        html.link(context.href(context.rollouts.path(PUSHED)), "record"),
    )


def _ungated(context: SiteContext, ident: str) -> tuple[object, ...]:
    record, drill = context.records.read(ident), context.drill(ident)
    data, slo = record.data, _slo_at_stake(context, ident)
    paging = sorted((page.received_at, page.alertname) for page in data.pages if page.severity == PAGE)
    if data.users is None or not paging:
        raise LabError(f"record {record.path} counts no users or no page; record the drill again")
    first_seconds = epoch_seconds(paging[0][0]) - epoch_seconds(data.t0)
    weights = [fault.steps[-1].weight_percent for fault in drill.faults if isinstance(fault, CanaryRamp)]
    reached = f"{weights[0]:g}{units.NBSP}% of the clients" if weights else f"every replica of {drill.component}"
    return (
        f"{ident}, {drill.trigger}",
        reached,
        units.number(data.budget[slo].bad_events),
        f"{data.users.hit} of {data.users.asked}",
        f"paged after {units.tenths(first_seconds)}",
        _pages(list(dict.fromkeys(name for _, name in paging))),
        html.link(context.href(record.path), "record"),
    )


def _slo_at_stake(context: SiteContext, ident: str) -> str:
    effect = context.drill(ident).effect
    if effect is None:
        raise LabError(f"{ident} has no SLO at stake")
    return effect.slo


def _pages(alerts: list[str]) -> str:
    return ", ".join(alerts) or "no page"


def link(context: SiteContext, name: str) -> Markup:
    """A link to the record of a change, with its path."""
    path = context.rollouts.path(name)
    return html.link(context.href(path), path)


VIEWS = (rollout_evidence, rollout_story, gated_and_ungated)
