"""Who spent the error budgets: the share of each recorded incident, and the postmortem that a large one needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab import units
from lab.change.policy import read_policy
from lab.drills.schema.measurements import SloBudget
from lab.errors import LabError
from lab.site.render import html, svg
from lab.site.render.html import Markup
from lab.site.sources.context import POSTMORTEMS, SIMULATIONS, SiteContext
from lab.slo.catalogue import title

SHOWN_RATIO = 0.01  # smaller shares are only counted


@dataclass(frozen=True)
class Share:
    """What one recorded incident spent of one SLO's budget."""

    incident: str
    slo: str
    spent: SloBudget

    @property
    def ratio(self) -> float:
        """The part of a whole period's budget; above 1: overspent."""
        return self.spent.budget_spent_ratio


def shares(context: SiteContext) -> list[Share]:
    """The shares of every recorded incident, the largest first.

    Raises LabError when an incident spent more of a budget than the policy allows without a postmortem, and has none.
    """
    found = sorted(_shares(context), key=lambda share: (-share.ratio, share.incident, share.slo))
    bound = _bound(context)
    for share in found:
        if share.ratio > bound and context.postmortem(share.incident) is None:
            raise LabError(
                f"{share.incident} spent {units.percent(share.ratio, 1)} of the budget of {share.slo}, more than"
                f" {units.percent(bound)} (postmortem_ratio), and has no postmortem; run 'fleetops incident postmortem"
                f" {share.incident} --output docs/{POSTMORTEMS}/{share.incident}_TITLE.md'"
            )
    return found


def _shares(context: SiteContext) -> Iterator[Share]:
    for record in context.records:
        if record.data.prediction is not None:
            for slo, spent in record.data.budget.items():
                if spent.bad_events:
                    yield Share(record.ident, slo, spent)


def _bound(context: SiteContext) -> float:
    return read_policy(context.rules / "policy" / "error-budget.yml").postmortem_ratio


def postmortem_bound(context: SiteContext) -> str:
    """The share of a budget above which an incident needs a postmortem, `20 %`."""
    return units.percent(_bound(context))


def budget_ledger(context: SiteContext) -> Markup:
    """What each recorded incident spent of each budget, the largest share first, with the postmortems."""
    found, bound = shares(context), _bound(context)
    shown = [share for share in found if share.ratio >= SHOWN_RATIO]
    top = max([1.0, *(share.ratio for share in shown)])
    rows = [
        (
            html.link(context.href(f"{SIMULATIONS}#{share.incident.lower()}"), share.incident),
            title(context.slos.slo(share.slo)),
            units.number(share.spent.bad_events),
            Markup("{}{}").format(units.percent(share.ratio, 1), svg.bar(share.ratio, bound, top)),
            _postmortem(context, share, bound),
        )
        for share in shown
    ]
    period = units.seconds(context.slos.lab.period_seconds)
    head = ("Incident", "SLO", "Bad requests", f"Spent of the budget of {period} (lab time, {context.factor}x)")
    table = html.table((*head, "Postmortem"), rows, label="Error budgets spent by recorded incidents")
    return table + Markup('<p class="lab-note">Left out: {} shares below {}.</p>').format(
        len(found) - len(shown), units.percent(SHOWN_RATIO)
    )


def _postmortem(context: SiteContext, share: Share, bound: float) -> object:
    required = html.badge("bad", f"required above {units.percent(bound)}") if share.ratio > bound else Markup()
    page = context.postmortem(share.incident)
    return Markup("{} {}").format(html.link(context.href(page), "written"), required) if page else units.ABSENT


VIEWS = (postmortem_bound, budget_ledger)
