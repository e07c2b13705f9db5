"""Benchmark results on pages: the cost of rules, a cache stampede, memory, and the site itself."""

from __future__ import annotations

from lab import units
from lab.site.build import budgets
from lab.site.render import html
from lab.site.render.html import Markup
from lab.site.sources.benchmarks import DatabaseLoad, RuleCost, SingleFlight, SiteFigures, Soak, Telemetry, read
from lab.site.sources.context import SiteContext


def rule_cost(context: SiteContext) -> Markup:
    """The cost of evaluating one SLO's rules next to Sloth's, as `make bench` measured it."""
    cost, young, newer = (read(context.docs, name, RuleCost) for name in ("rules", "rules_young", "rules_newer"))
    rows = [
        (title, side.rules, f"{side.pass_ms:.1f}{units.NBSP}ms", f"{side.second_ms:.2f}{units.NBSP}ms")
        for title, side in (("these rules", cost.ours), ("Sloth\u2019s", cost.sloth))
    ]
    table = html.table(
        ("Rules of one SLO", "Rules", "One pass over all rules", "Per second"), rows, label="Rule cost", numeric=True
    )
    return table + Markup(
        "<p>{} of Sloth\u2019s work per second, on Prometheus {} with {} days of history, measured on {}.</p>"
        "<p>One pass over all {} rules takes:</p><ul>{}</ul>"
    ).format(
        units.percent(cost.ratio, 0),
        cost.prometheus,
        f"{cost.history_days:g}",
        units.day(cost.measured_at),
        cost.ours.rules,
        Markup("").join(_one_pass(measured) for measured in (cost, young, newer)),
    )


def _one_pass(cost: RuleCost) -> Markup:
    """The two rule sets compared by one evaluation of every rule, regardless of evaluation intervals."""
    return Markup("<li>{} of the time of Sloth\u2019s {}, on Prometheus {} with {} days of history</li>").format(
        units.percent(cost.ours.pass_ms / cost.sloth.pass_ms, 0),
        cost.sloth.rules,
        cost.prometheus,
        f"{cost.history_days:g}",
    )


def single_flight_table(context: SiteContext) -> Markup:
    """The database's load while the cache was flushed repeatedly, without single-flight and with it."""
    measured = read(context.docs, "single_flight", SingleFlight)
    rows = [_load("without", measured.off), _load("with", measured.on)]
    head = ("Per second", "feeds built, mean", "peak", "database operations, mean", "peak")
    table = html.table(head, rows, label="Cache stampede", numeric=True)
    return table + Markup(
        "<p>{} users request their feeds {:g} times per second; the cache is flushed every {:g} s (wall time)."
        " Measured on {}.</p>"
    ).format(measured.people, measured.requests_per_second, measured.flush_seconds, units.day(measured.measured_at))


def flush_interval(context: SiteContext) -> str:
    """How often the benchmark of single-flight flushes the cache, as text."""
    return units.seconds(read(context.docs, "single_flight", SingleFlight).flush_seconds)


def _load(how: str, load: DatabaseLoad) -> tuple[str, ...]:
    figures = (load.pages_mean, load.pages_peak, load.operations_mean, load.operations_peak)
    return (f"{how} single-flight", *(f"{figure:g}" for figure in figures))


def site_figures(context: SiteContext) -> Markup:
    """The worst figures of all pages next to their budgets, as `make bench` measured them, and every budget missed."""
    measured = read(context.docs, "site", SiteFigures)
    worst = budgets.worst(measured.pages, measured.build_seconds)
    bounds = (*budgets.PAGE, budgets.LOAD, budgets.CONSOLE_LOAD, budgets.BUILD)
    rows = [(bound.title, bound.words(worst[bound.figure]), bound.limit) for bound in bounds]
    table = html.table(("Of the worst page", "Measured", "Bound"), rows, label="The site itself", numeric=True)
    missed = [
        f"{bound.title} of {page or 'the site'} ({bound.words(value)})"
        for page, bound, value in budgets.missed(measured.pages, measured.build_seconds)
    ]
    return table + Markup(
        '<p class="lab-note">{} pages, Lighthouse {}, median of {},'
        " measured on {} on {} cores, load average {} beforehand. {}</p>"
    ).format(
        len(measured.pages),
        measured.lighthouse,
        measured.runs,
        units.day(measured.measured_at),
        measured.host.cpus,
        measured.load_average,
        f"Out of bounds: {'; '.join(missed)}." if missed else "Every page is within its bounds.",
    )


def _outcome(result: str) -> str:
    """The result of a drill in words; `make soak` records an exit status other than 0 as `status N`."""
    words = {"status 1": "failed", "status 3": "void"}
    return words.get(result, result)


def soak_table(context: SiteContext) -> Markup:
    """Memory of every process over two hours of default traffic, as `make soak` measured it."""
    soak = read(context.docs, "soak", Soak)
    rows = [
        (
            process,
            *(f"{mib:.0f}" for mib in (memory.start_mib, memory.half_mib, memory.end_mib, memory.peak_mib)),
            *(
                f"{slope:+.1f}".replace("-", units.MINUS)
                for slope in (memory.slope_mib_per_hour, memory.private_slope_mib_per_hour)
            ),
        )
        for process, memory in soak.processes.items()
    ]
    out_of_bounds = "; ".join(soak.out_of_bounds)
    head = ("RSS in MiB", "Start", "Halfway", "End", "Peak", "MiB per hour, second half", "of which private")
    table = html.table(head, rows, label="Memory of every process", numeric=True)
    return table + Markup(
        '<p class="lab-note">{} minutes of default traffic, drills in the first quarter: {}.'
        " Prometheus {}, {} cores, measured on {}. {}</p>"
    ).format(
        f"{soak.minutes:.0f}",
        ", ".join(f"{ident} {_outcome(outcome)}" for ident, outcome in soak.drills.items()),
        soak.prometheus,
        soak.host.cpus,
        units.day(soak.measured_at),
        f"Out of bounds: {out_of_bounds}." if out_of_bounds else "Every process is within its bounds.",
    )


def telemetry_cost(context: SiteContext) -> Markup:
    """What telemetry costs two services, beside none and the usual libraries, as `make bench` measured it."""
    measured = read(context.docs, "tracing", Telemetry)
    rows = [
        (service, title, f"{side.cpu_us:.0f}{units.NBSP}µs", f"{side.ratio:.2f}", _ms(side.p50_ms), _ms(side.p99_ms))
        for service, costs in (("gateway", measured.gateway), ("feed, 48 statements", measured.feed))
        for title, side in (
            ("none", costs.bare),
            ("metrics and logs of this lab", costs.untraced),
            ("and its traces", costs.ours),
            ("prometheus-flask-exporter", costs.exporter),
            ("and OpenTelemetry\u2019s instrumentation", costs.opentelemetry),
        )
    ]
    head = ("Service", "Telemetry", "CPU per request", "of none", "Median", "p99")
    table = html.table(head, rows, label="Cost of telemetry", numeric=True)
    gateway = measured.gateway
    cheapest = min(gateway.exporter.ratio, gateway.opentelemetry.ratio)
    return table + Markup(
        '<p class="lab-note">{} rounds on {} cores, measured on {}, with {}. The telemetry of the gateway costs {}'
        " more processor time than none; the bound is {}. {}</p>"
    ).format(
        measured.rounds,
        measured.host.cpus,
        units.day(measured.measured_at),
        ", ".join(one.replace("==", " ") for one in measured.libraries),
        units.percent(gateway.ours.ratio - 1, 0),
        units.percent(measured.max_ratio - 1, 0),
        "Both libraries cost more." if gateway.ours.ratio < cheapest else "A library costs less.",
    )


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.2f}{units.NBSP}ms"


VIEWS = (rule_cost, single_flight_table, flush_interval, site_figures, soak_table)
