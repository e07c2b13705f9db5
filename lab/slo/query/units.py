"""Determines the unit of a query's value: how much one event in the window adds to it.

`rate` counts events per second, `increase` and similar functions events per window; a constant factor scales either.
The floor of bad events needs the unit, because it is a number of events.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from lab.slo.query.tree import Binary, Call, Expr, Number, Range, Selector, Text, parse
from lab.slo.specs.fields import WINDOW

_PLACEHOLDER = "1234567s"  # stands for {{.window}} while a query is parsed
_PER_SECOND = {"rate", "irate", "deriv"}
_PER_WINDOW = {"increase", "delta", "changes", "resets", "count_over_time"}
# Functions and aggregations that keep the unit of their argument.
_KEEP = {"sum", "min", "max", "vector", "scalar", "abs", "ceil", "floor", "round", "clamp", "clamp_min", "clamp_max"}
_KEEP |= {"sort", "sort_desc", "sort_by_label", "sort_by_label_desc", "label_replace", "label_join", "histogram_count"}
_LAST = {"topk", "bottomk", "limitk"}
# By convention the name of a recorded series ends with the last operation: job:errors:rate5m.
_RECORDED = {f"rate{_PLACEHOLDER}": True, f"increase{_PLACEHOLDER}": False}


@dataclass(frozen=True)
class Unit:
    """One event in the window adds `scale` to the value, or `scale` / window seconds with `per_second`."""

    scale: float = 1.0
    per_second: bool = False

    def value(self, events: float, window_seconds: int) -> str:
        """The query's value over a window with this many events, as PromQL."""
        return f"{events * self.scale:.12g}{f' / {window_seconds}' if self.per_second else ''}"


class _Gauge:
    """A current quantity. Summed over the samples of a window, it counts events."""


class _Ratio:
    """A ratio or a boolean, without a unit."""


_GAUGE, _RATIO = _Gauge(), _Ratio()
_Result = Unit | Number | _Gauge | _Ratio | None


@cache
def unit_of(query: str) -> Unit | None:
    """The unit of a query with `{{.window}}`; None when it is unknown. Raises ValueError when it is not PromQL."""
    expr = parse(WINDOW.sub(_PLACEHOLDER, query))
    try:
        unit = _unit(expr)
    except (ZeroDivisionError, OverflowError):
        return None
    if isinstance(expr, Range | Text) or isinstance(unit, Number):
        return Unit()  # not an instant vector: promtool rejects the rule with a better message
    return unit if isinstance(unit, Unit) and unit.scale > 0 else None


def _unit(expr: Expr) -> _Result:
    if isinstance(expr, Number):
        return expr
    if isinstance(expr, Selector):
        recorded = [per_second for end, per_second in _RECORDED.items() if expr.metric.endswith(f":{end}")]
        return Unit(per_second=recorded[0]) if recorded else _GAUGE
    if isinstance(expr, Call):
        return _called(expr)
    return _combined(expr) if isinstance(expr, Binary) else None


def _called(call: Call) -> _Result:
    if not call.arguments:
        return None
    over = call.arguments[0]
    whole = isinstance(over, Range) and over.duration == _PLACEHOLDER
    if call.name in _PER_SECOND:
        return Unit(per_second=True)
    if call.name in _PER_WINDOW:
        return Unit() if whole else None
    if call.name == "sum_over_time" and isinstance(over, Range):
        return Unit() if whole and _unit(over.of) in (_GAUGE, _RATIO) else None
    if call.name in {"count", "group"}:
        return _GAUGE
    if call.name == "histogram_fraction":
        return _RATIO
    if call.name in _KEEP | _LAST:
        kept = _unit(call.arguments[-1] if call.name in _LAST else over)
        return _GAUGE if kept is _RATIO and call.name == "sum" else kept
    return None


def _combined(expr: Binary) -> _Result:
    left, right = _unit(expr.left), _unit(expr.right)
    if left is None or right is None:
        return None
    if expr.is_comparison:
        return _RATIO if expr.is_bool else right if isinstance(left, Number) else left
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
        return _RATIO if isinstance(left, Unit) and left == right else None
    return None


def _alike(left: _Result, right: _Result, *, is_sum: bool) -> _Result:
    """The common unit of both sides. Zero fits any unit, and any number may be added to a gauge."""
    if left == right:
        return _GAUGE if left is _RATIO and is_sum else left
    for operand, other in ((left, right), (right, left)):
        if isinstance(operand, Number) and (operand.value == 0 or (is_sum and isinstance(other, _Gauge | _Ratio))):
            return other
    return None


def _scaled(unit: _Result, by: _Result) -> _Result:
    if isinstance(unit, Unit) and isinstance(by, Number):
        return replace(unit, scale=unit.scale * by.value)
    if isinstance(unit, Unit) and by is _RATIO:
        return unit
    return _GAUGE if isinstance(unit, _Gauge | _Ratio) and isinstance(by, Number) else None


def _calculated(op: str, left: float, right: float) -> Number | None:
    if op == "+":
        return Number(left + right)
    if op == "-":
        return Number(left - right)
    if op == "*":
        return Number(left * right)
    return Number(left / right) if op == "/" else None
