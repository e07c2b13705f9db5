"""The capacity plan on pages, as `fleetops capacity plan` computes it; the growth forecast; and tickets' lead times."""

from __future__ import annotations

import math
from collections.abc import Collection

from lab import units
from lab.capacity import figures
from lab.capacity.configurations import DEFAULT
from lab.capacity.documents import RunUpRow
from lab.capacity.models.estimate import Estimate
from lab.capacity.models.forecast import weeks_left
from lab.capacity.plan import Planner
from lab.capacity.run_up import run_ups
from lab.errors import LabError
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


def lead_times(context: SiteContext) -> Markup:
    """Each capacity ticket in its measured run-up: the level at which it fires, and how long before its SLO burns."""
    stored = figures.read_run_ups(context.docs / "figures" / "run_ups.json")
    rows = []
    for one in run_ups():
        if one.name not in stored.run_ups:
            raise LabError(f"docs/figures/run_ups.json has no run-up {one.name!r}; run `make run-ups`")
        row = stored.run_ups[one.name]
        for alert, slos in one.precedes.items():
            if (fired := row.fired.get(alert)) is None:
                raise LabError(f"docs/figures/run_ups.json: {alert} did not fire in the run-up {one.name!r}")
            rows.append(
                (
                    html.link(context.runbook(alert), alert), html.wide(one.title),
                    f"{row.level_at(fired):.3g} {one.unit}", *_burn(row, slos, fired, one.unit),
                )
            )  # fmt: skip
    head = ("Ticket", "Run-up", "Fires at", "An SLO burns at", "First to burn", f"Lead (lab time, {context.factor}x)")
    return html.table(head, rows, label="Lead times of the capacity tickets")


def _burn(row: RunUpRow, slos: Collection[str], fired: float, unit: str) -> tuple[str, str, str]:
    at = row.first_burn(slos)
    if at is None:
        most = row.levels[-1][1]
        return f"not up to {most:.3g} {unit}", units.ABSENT, f"over {units.seconds(row.seconds - fired)}"
    if at < fired:
        raise LabError(
            f"docs/figures/run_ups.json: in {row.name!r} an SLO burned {fired - at:g} s before its ticket fired"
        )
    first = next(slo for slo, since in row.burning.items() if since == at and slo in slos)
    return f"{row.level_at(at):.3g} {unit}", first, units.seconds(at - fired)


def _weeks(left: Estimate) -> str:
    return f"{left.low:.0f} to {'?' if math.isinf(left.high) else f'{left.high:.0f}'}"


VIEWS = (capacity_plan, growth_forecast, lead_times)
