"""Renders proofs as promtool test files, deterministically: the same proofs give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lab.slo.durations import format_duration
from lab.slo.rendering.rule_file import scalar


@dataclass(frozen=True)
class Expectation:
    """The expected result of an expression at an instant: samples as (labels, value)."""

    at_seconds: int
    expr: str
    samples: Sequence[tuple[Mapping[str, str], float]] = ()


@dataclass(frozen=True)
class ExpectedAlerts:
    """The expected labels and annotations, in full, of every alert with one name at an instant."""

    at_seconds: int
    name: str
    alerts: Sequence[tuple[Mapping[str, str], Mapping[str, str]]] = ()


@dataclass(frozen=True)
class Proof:
    """One promtool test: input series and expectations."""

    title: str
    interval_seconds: int
    series: Mapping[str, str]
    expectations: Sequence[Expectation]
    alerts: Sequence[ExpectedAlerts] = field(default=())


SITE = "http://lab"  # the value of {{ $externalLabels.site }} in a proof


def render_tests(
    header: Sequence[str],
    rule_files: Sequence[str],
    groups: Sequence[str],
    evaluation_seconds: int,
    proofs: Sequence[Proof],
) -> str:
    """A complete test file. The rule groups are evaluated in the order of `groups`."""
    lines = [f"# {line}".rstrip() for line in header]
    lines += ["rule_files:", *(f"  - {scalar(name)}" for name in rule_files)]
    lines += ["group_eval_order:", *(f"  - {scalar(name)}" for name in groups)]
    lines += [f"evaluation_interval: {format_duration(evaluation_seconds)}", "tests:"]
    for proof in proofs:
        lines += _proof(proof)
    return "\n".join(lines) + "\n"


def _proof(proof: Proof) -> Iterator[str]:
    yield f"  - name: {scalar(proof.title)}"
    yield f"    interval: {format_duration(proof.interval_seconds)}"
    yield f"    external_labels: {{site: {scalar(SITE)}}}"
    yield "    input_series:"
    for series, values in proof.series.items():
        yield f"      - series: {scalar(series)}"
        yield f"        values: {scalar(values)}"
    if proof.expectations:
        yield "    promql_expr_test:"
        for expectation in proof.expectations:
            yield from _expectation(expectation)
    if proof.alerts:
        yield "    alert_rule_test:"
        for expected in proof.alerts:
            yield from _alerts(expected)


def _expectation(expectation: Expectation) -> Iterator[str]:
    yield f"      - eval_time: {instant(expectation.at_seconds)}"
    yield f"        expr: {scalar(expectation.expr)}"
    if not expectation.samples:
        yield "        exp_samples: []"
        return
    yield "        exp_samples:"
    for labels, value in expectation.samples:
        inside = ", ".join(f'{name}="{text}"' for name, text in sorted(labels.items()) if name != "__name__")
        yield f"          - labels: {scalar(labels.get('__name__', '') + '{' + inside + '}')}"
        yield f"            value: {value!r}"


def _alerts(expected: ExpectedAlerts) -> Iterator[str]:
    yield f"      - eval_time: {instant(expected.at_seconds)}"
    yield f"        alertname: {scalar(expected.name)}"
    if not expected.alerts:
        yield "        exp_alerts: []"
        return
    yield "        exp_alerts:"
    for labels, notes in expected.alerts:
        for index, (key, values) in enumerate((("exp_labels", labels), ("exp_annotations", notes))):
            yield f"          {'- ' if index == 0 else '  '}{key}:"
            yield from (f"              {name}: {scalar(value)}" for name, value in sorted(values.items()))


def instant(seconds: int) -> str:
    """An instant of a test as hours, minutes and seconds: 2h43m30s."""
    if seconds < 60:
        return f"{seconds}s"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)
