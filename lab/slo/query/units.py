"""The unit of a query's value: how much one event in the window adds to it.

`rate` counts events per second, `increase` and its kin events per window; a constant scales either. The floor of bad
events needs to know, because it is a number of events.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from lab.slo.query.tree import Binary, Call, Expr, Number, Range, Selector, Text, parse
from lab.slo.specs.fields import WINDOW

_ASKED = "1234567s"  # stands for {{.window}} while a query is read
_PER_SECOND = {"rate", "irate", "deriv"}
_PER_WINDOW = {"increase", "delta", "changes", "resets", "count_over_time"}
# Functions and aggregations that return their argument's values, perhaps fewer, or with other labels.
_KEEP = {"sum", "min", "max", "vector", "scalar", "abs", "ceil", "floor", "round", "clamp", "clamp_min", "clamp_max"}
_KEEP |= {"sort", "sort_desc", "sort_by_label", "sort_by_label_desc", "label_replace", "label_join", "histogram_count"}
_LAST = {"topk", "bottomk", "limitk"}
# A recorded series says by convention what was done last: job:errors:rate5m.
_RECORDED = {f"rate{_ASKED}": True, f"increase{_ASKED}": False}


@dataclass(frozen=True)
class Unit:
    """A value of `scale` for one event: in the window, or a second when `per_second`."""

    scale: float = 1.0
    per_second: bool = False

    def value(self, events: float, window_seconds: int) -> str:
        """The query's value over a window with so many events, as PromQL."""
        return f"{events * self.scale:.12g}{f' / {window_seconds}' if self.per_second else ''}"


class _Gauge:
    """A quantity of the moment: summed over the samples of a window it counts events."""


class _Part:
    """A ratio, or 0 and 1: without a unit."""


_GAUGE, _PART = _Gauge(), _Part()
_Found = Unit | Number | _Gauge | _Part | None


@cache
def unit_of(query: str) -> Unit | None:
    """The unit of a query with `{{.window}}`; None when it cannot be told. Raises ValueError when it is not PromQL."""
    expr = parse(WINDOW.sub(_ASKED, query))
    try:
        found = _unit(expr)
    except (ZeroDivisionError, OverflowError):
        return None
    if isinstance(expr, Range | Text) or isinstance(found, Number):
        return Unit()  # no instant vector: promtool refuses the rule, and says why
    return found if isinstance(found, Unit) and found.scale > 0 else None


def _unit(expr: Expr) -> _Found:
    if isinstance(expr, Number):
        return expr
    if isinstance(expr, Selector):
        recorded = [per_second for end, per_second in _RECORDED.items() if expr.metric.endswith(f":{end}")]
        return Unit(per_second=recorded[0]) if recorded else _GAUGE
    if isinstance(expr, Call):
        return _called(expr)
    return _combined(expr) if isinstance(expr, Binary) else None


def _called(call: Call) -> _Found:
    if not call.arguments:
        return None
    over = call.arguments[0]
    whole = isinstance(over, Range) and over.duration == _ASKED
    if call.name in _PER_SECOND:
        return Unit(per_second=True)
    if call.name in _PER_WINDOW:
        return Unit() if whole else None
    if call.name == "sum_over_time" and isinstance(over, Range):
        return Unit() if whole and _unit(over.of) in (_GAUGE, _PART) else None
    if call.name in {"count", "group"}:
        return _GAUGE
    if call.name == "histogram_fraction":
        return _PART
    if call.name in _KEEP | _LAST:
        kept = _unit(call.arguments[-1] if call.name in _LAST else over)
        return _GAUGE if kept is _PART and call.name == "sum" else kept
    return None


def _combined(expr: Binary) -> _Found:
    left, right = _unit(expr.left), _unit(expr.right)
    if left is None or right is None:
        return None
    if expr.is_comparison:
        return _PART if expr.is_bool else right if isinstance(left, Number) else left
    if expr.op in {"and", "unless"}:
        return left
    if isinstance(left, Number) and isinstance(right, Number):
        return _calculated(expr.op, left.value, right.value)
    if expr.op in {"or", "+", "-"}:
        return _alike(left, right, is_sum=expr.op != "or")
    if expr.op == "*":
        return _scaled(left, right) or _scaled(right, left)
    if expr.op == "/":
        if isinstance(right, Number):
            return _scaled(left, Number(1 / right.value))
        return _PART if isinstance(left, Unit) and left == right else None
    return None


def _alike(left: _Found, right: _Found, *, is_sum: bool) -> _Found:
    """The unit of both sides; a zero has every unit, and a gauge may have any number added."""
    if left == right:
        return _GAUGE if left is _PART and is_sum else left
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Number) and (one.value == 0 or (is_sum and isinstance(other, _Gauge | _Part))):
            return other
    return None


def _scaled(found: _Found, by: _Found) -> _Found:
    if isinstance(found, Unit) and isinstance(by, Number):
        return replace(found, scale=found.scale * by.value)
    if isinstance(found, Unit) and by is _PART:
        return found
    return _GAUGE if isinstance(found, _Gauge | _Part) and isinstance(by, Number) else None


def _calculated(op: str, left: float, right: float) -> Number | None:
    if op == "+":
        return Number(left + right)
    if op == "-":
        return Number(left - right)
    if op == "*":
        return Number(left * right)
    return Number(left / right) if op == "/" else None
