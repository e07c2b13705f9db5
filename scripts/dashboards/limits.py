"""The limits that charts draw, read from the rules and the policies that act on them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from math import prod

from lab.change import policy
from lab.errors import LabError
from lab.paths import RULES
from lab.slo.catalogue import PROFILES, find_slo, load_windows
from lab.slo.model import PAGE
from lab.slo.query.tree import Binary, Expr, Number, parse
from lab.slo.rule_files import read_groups
from lab.slo.thresholds import threshold_seconds
from scripts.dashboards.panels import GREEN, ORANGE, RED, YELLOW, Line


@cache
def limit(alert: str) -> float:
    """The number that a platform alert compares its measurement with: 0.7 for CpuHeadroomLow.

    Raises LabError when there is no such alert, or when its expression compares with no number.
    """
    for file in sorted((RULES / "platform").glob("*.rules.yml")):
        for rule in (rule for group in read_groups(file) for rule in group.rules):
            if rule.alert == alert:
                found = next(_compared(parse(rule.expr)), None)
                if found is None:
                    raise LabError(f"{file.name}: the expression of {alert} compares with no number")
                return found
    raise LabError(f"no alert {alert!r} in {RULES / 'platform'}")


def _compared(expr: Expr) -> Iterator[float]:
    """The numbers on the right of comparisons, the outermost first."""
    if isinstance(expr, Binary):
        if expr.is_comparison and (number := _constant(expr.right)) is not None:
            yield number
        yield from _compared(expr.left)
        yield from _compared(expr.right)


def _constant(expr: Expr) -> float | None:
    """The value of a number or of a product of numbers."""
    if isinstance(expr, Number):
        return expr.value
    if isinstance(expr, Binary) and expr.op == "*":
        factors = [_constant(expr.left), _constant(expr.right)]
        return prod(factor for factor in factors if factor is not None) if None not in factors else None
    return None


def guardrail(alert: str) -> Line:
    """The line above (or below) which an alert fires."""
    return Line(limit(alert), ORANGE)


def latency_objective(service: str, name: str, color: str) -> Line:
    """The line of a latency SLO's threshold. Raises LabError when there is no such SLO, or when it has none."""
    seconds = threshold_seconds(find_slo(f"{service}-{name}"))
    if seconds is None:
        raise LabError(f"{service} {name} is not a latency SLO")
    return Line(seconds, color)


@cache
def burn_rates() -> tuple[Line, ...]:
    """The burn rates above which a page (red) or a ticket (orange) fires. Both profiles have the same.

    Raises LabError when they do not.
    """
    found = {
        profile: tuple((round(tier.factor, 6), tier.severity) for tier in load_windows(profile).tiers)
        for profile in PROFILES
    }
    first, *others = found.values()
    if any(other != first for other in others):
        raise LabError(f"the profiles differ in their burn rates: {found}")
    return tuple(Line(factor, RED if severity == PAGE else ORANGE) for factor, severity in first)


def burn_steps() -> list[tuple[float, str]]:
    """Burn rates as colours: yellow from 1 on, orange and red from the lowest one of a ticket or a page above that."""
    above = {
        color: min(line.value for line in burn_rates() if line.color == color and line.value > 1)
        for color in (ORANGE, RED)
    }
    return [(1, YELLOW), *((value, color) for color, value in above.items())]


def budget_steps() -> list[tuple[float, str]]:
    """The error-budget policy's states as colours, by the part of the budget from which on they apply.

    Below the first step the budget is exhausted.
    """
    bounds = [state.above_ratio for state in policy.read_policy().states if state.above_ratio is not None]
    colors = [GREEN, YELLOW, ORANGE]
    if len(bounds) != len(colors):
        raise LabError(f"the error-budget policy has {len(bounds) + 1} states; the dashboards have 4 colours")
    return list(zip(bounds, colors, strict=True))
