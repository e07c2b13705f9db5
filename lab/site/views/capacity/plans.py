"""The capacity plan and the growth forecast on pages, as `fleetops capacity plan` computes them."""

from __future__ import annotations

import math

from lab import units
from lab.capacity.configurations import DEFAULT
from lab.capacity.models.estimate import Estimate
from lab.capacity.models.forecast import weeks_left
from lab.capacity.plan import Planner
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources.context import SiteContext
from lab.site.views.capacity.limits import rate

N_MINUS_ONE = "n-1"


def capacity_plan(context: SiteContext) -> Markup:
    """What the policy's load needs of each resource: amount, interval, basis and deciding term."""
    demand = context.capacity.policy.demand
    needs = Planner(context.capacity.sweep).plan(demand)
    rows = [(need.resource, need.shown, need.interval, need.basis, html.wide(need.term)) for need in needs]
    command = (
        f"fleetops capacity plan --feed {demand.feed_per_second:g} --user {demand.user_per_second:g}"
        f" --burst {demand.burst:g} --headroom {demand.headroom:g}"
    )
    table = html.table(("Resource", "Needed", "95 % interval", "Basis", "Decided by"), rows, label="Capacity plan")
    return table + Markup('<p class="lab-note">Output of {}; the load is that of {}.</p>').format(
        html.code(command), html.code("rules/policy/capacity.yml")
    )


def growth_forecast(context: SiteContext) -> Markup:
    """Weeks until the growing peak reaches the capacity, with all replicas and without one."""
    policy = context.capacity.policy
    peak, burst, growth = policy.demand.peak_per_second, policy.demand.burst, policy.growth_per_week
    rows = []
    for name in (DEFAULT, N_MINUS_ONE):
        half = context.capacity.sweep.limits[name].capacity.half
        for title, load in (("peak", peak), (f"bursts of {burst:g} times the peak", peak * burst)):
            left = weeks_left(load, growth, half)
            rows.append((name, title, rate(load), rate(half.value), f"{left.value:.0f}", _weeks(left)))
    head = ("Configuration", "Load", "Today", "Capacity", "Weeks left", "95 % interval")
    table = html.table(head, rows, label="Weeks left", numeric=True)
    return table + Markup(
        '<p class="lab-note">Growth of {} a week, from {}. The interval is that of the capacity, not of the growth.</p>'
    ).format(units.percent(growth, 0), html.code("rules/policy/capacity.yml"))


def _weeks(left: Estimate) -> str:
    return f"{left.low:.0f} to {'?' if math.isinf(left.high) else f'{left.high:.0f}'}"


VIEWS = (capacity_plan, growth_forecast)
