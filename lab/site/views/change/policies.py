"""Change safety: the rollout's ladder and the error-budget policy as tables, both from the files that decide."""

from __future__ import annotations

import re

from lab import units
from lab.change import policy as error_budget
from lab.errors import UsageError
from lab.rollout import policy as rollouts
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.render.tiers import tier_words
from lab.site.sources import controllers
from lab.site.sources.context import SiteContext
from lab.site.views.change.simulations import FEEDS_PER_SECOND, most_it_costs
from lab.slo.burn_rate import first_detection
from lab.slo.catalogue import LAB
from lab.slo.model import PAGE, Slo, Windows

FEED = "feed"


def rollout_ladder(context: SiteContext) -> Markup:
    """The steps of a feed rollout: what each needs to pass, what could page at its weight, and what it can cost."""
    policy, windows = rollouts.read_policy(context.rules / "policy" / "rollout.yml"), context.slos.windows(LAB)
    slos = [slo for slo in context.slos.slos if slo.service == FEED]
    rows = []
    for step, weight in enumerate(policy.steps_percent):
        needed = max(policy.clean_requests(slo, windows, step) for slo in slos)
        rate = FEEDS_PER_SECOND * weight / 100
        rows.append(
            (
                f"{weight:g}{units.NBSP}%",
                Markup("<br>").join(
                    f"{slo.name}: {units.percent(policy.bound(slo, windows, step), 2)}" for slo in slos
                ),
                f"{needed}",
                units.seconds(max(needed / rate, policy.dwell_seconds)),
                _could_page(slos, windows, weight / 100),
                most_it_costs(context, policy, weight),
            )
        )
    head = (
        "Weight", "Passes below a bad ratio of", "Clean requests", "Time", "p99 page, if every request is slow",
        "Most it can cost",
    )  # fmt: skip
    return html.table(head, rows, label=f"The ladder of a rollout, in lab time, {context.factor}x", numeric=True)


def _could_page(slos: list[Slo], windows: Windows, bad_ratio: float) -> str:
    """When the p99 page fires for a version that serves this share of the clients and is slow for all of them."""
    first = [
        detection[0]
        for slo in slos
        if slo.name == "latency-p99"
        and (detection := first_detection(windows.of(PAGE), slo.budget_ratio, [(windows.period_seconds, bad_ratio)]))
    ]
    return f"after {units.seconds(min(first))}" if first else "never"


def rollout_policy(context: SiteContext, key: str) -> str:
    """One value of the rollout policy: alpha, margin, confidence, tier or on_deadline. UsageError for another key."""
    policy = rollouts.read_policy(context.rules / "policy" / "rollout.yml")
    values = {
        "alpha": units.percent(policy.alpha, 0),
        "margin": f"{policy.margin:g}",
        "confidence": units.percent(policy.confidence, 0),
        "tier": tier_words(policy.tier),
        "on_deadline": policy.on_deadline,
    }
    if key not in values:
        raise UsageError(f"the rollout policy has no {key!r}; it has {', '.join(values)}")
    return values[key]


def error_budget_policy(context: SiteContext) -> Markup:
    """The states of the error-budget policy and the changes that each refuses."""
    policy = error_budget.read_policy(context.rules / "policy" / "error-budget.yml")
    rows: list[tuple[object, ...]] = []
    above = None
    for state in policy.states:
        left = f"more than {units.percent(state.above_ratio, 0)}" if state.above_ratio else "more than none"
        if state.above_ratio is None:
            left = "none"
        elif above is not None:
            left = f"{units.percent(state.above_ratio, 0)} to {units.percent(above, 0)}"
        rows.append((state.name, left, _listed(state.refuses), state.means))
        above = state.above_ratio
    burning = f"any, while it burns fast enough for the {tier_words(policy.burning_tier)}"
    rows.append(("burning", burning, _listed(policy.burning_refuses), "stop the burn first"))
    rows.append(("unknown", "Prometheus cannot say", _listed(policy.unknown_refuses), "rollbacks never wait for data"))
    return html.table(("State", "Budget left", "Refused", "In words"), rows, label="Error-budget policy")


def other_controllers(context: SiteContext) -> Markup:  # noqa: ARG001 - a macro's first argument
    """What Argo Rollouts, Flagger and Kayenta do in the same cases as this lab's controller, with sources."""
    rows = [
        (case.case, html.wide(case.here), *(_statement(case.others.get(name)) for name in controllers.CONTROLLERS))
        for case in controllers.cases()
    ]
    head = ("Case", "Here", *controllers.CONTROLLERS.values())
    return html.table(head, rows, label="What other controllers do")


def _statement(statement: controllers.Statement | None) -> object:
    if statement is None:
        return Markup('<span class="lab-never">not documented</span>')
    links = Markup(", ").join(html.link(source, _source_name(source)) for source in statement.sources)
    return html.wide(Markup("{}<br><small>{}</small>").format(_with_code(statement.text), links))


def _source_name(address: str) -> Markup:
    """The last part of an address, as the text of its link: a file, an issue's number, or a page. It may break."""
    *_, kind, last = address.rstrip("/").split("/")
    name = f"issue {last}" if kind == "issues" else last
    return Markup("<wbr>").join(re.split(r"(?<=_)|(?<=[a-z])(?=[A-Z])", name))


def _with_code(text: str) -> Markup:
    """The text with what is between backticks as code."""
    return Markup().join(
        html.code(part, wrap=True) if index % 2 else html.escape(part) for index, part in enumerate(text.split("`"))
    )


def _listed(changes: frozenset[str]) -> str:
    return ", ".join(change for change in error_budget.REFUSABLE if change in changes) or "nothing"


VIEWS = (rollout_ladder, rollout_policy, error_budget_policy, other_controllers)
