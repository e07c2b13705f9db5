"""The RED dashboard: rate, errors and duration, first as clients see them, then inside one service."""

from __future__ import annotations

from lab import names
from lab.slo.catalogue import find_slo, route, services
from lab.slo.query.builders import quantile, rate
from scripts.dashboards import limits
from scripts.dashboards.board import Board, Row, Variable
from scripts.dashboards.panels import ORANGE, RED, WINDOW, Line, Panel, Query, chart, distribution

COUNT = f"{names.HTTP_SERVER_DURATION}_count"
GATEWAY = 'job="gateway"'
ONE = 'job="$service",http_route=~"/v1/.*"'
FAILED, SERVED = 'http_response_status_code=~"5.."', 'http_response_status_code=~"2.."'


def board() -> Board:
    """The dashboard."""
    at_gateway = [_latency(service) for service in services()]
    return Board(
        "fleetops-service-red",
        "Service RED",
        "Rate, errors and duration at the gateway, where the SLOs are measured, and inside one service by replica.",
        (
            Row("At the gateway", (_rate(), _errors(), *at_gateway)),
            Row("Inside $service", (_rate_of_one(), _errors_of_one(), _latency_of_one(), _distribution())),
            Row("Saturation of $service", (_threads(), _waiting())),
        ),
        (
            Variable(
                "service",
                "Service",
                "The service whose replicas are shown in the lower rows. The canary is a replica of the feed.",
                f'label_values({names.HTTP_SERVER_THREADS}{{job=~"gateway|user|feed"}}, job)',
                "feed",
            ),
        ),
    )


def errors(matchers: str, by: str) -> str:
    """The part of requests that ended in a 5xx, by a label; NaN without requests."""
    failed, requests = (rate(COUNT, WINDOW, match, by=by) for match in (f"{matchers},{FAILED}", matchers))
    return f"({failed} or 0 * {requests}) / {requests}"


def _rate() -> Panel:
    return chart(
        "Request rate",
        "Requests that the gateway answered, by route. The load is open-loop: it does not fall because answers are "
        "slow, so a dip means that requests are not arriving.",
        "reqps",
        [Query(rate(COUNT, WINDOW, f'{GATEWAY},http_route=~"/v1/.*"', by="http_route"), "{{http_route}}")],
    )


def _errors() -> Panel:
    lines = [Line(find_slo(f"{service}-availability").budget_ratio, ORANGE) for service in services()]
    allowed = " and ".join(
        f"{line.value:.2%} of {service} requests" for line, service in zip(lines, services(), strict=True)
    )
    return chart(
        "Error ratio",
        "The part of requests that ended in a 5xx at the gateway, by route. Rejections for rate (429) are the client's "
        f"and do not count. The lines are what the availability SLOs allow over the period: {allowed}.",
        "percentunit",
        [Query(errors(f'{GATEWAY},http_route=~"/v1/.*"', "http_route"), "{{http_route}}")],
        lines=lines,
    )


def _latency(service: str) -> Panel:
    measured = route(find_slo(f"{service}-latency-p99"))
    served = f'{GATEWAY},http_route="{measured}",{SERVED}'
    objectives = {
        name: limits.latency_objective(service, f"latency-{name}", color)
        for name, color in (("p95", ORANGE), ("p99", RED))
    }
    stated = ", ".join(f"{name} {line.value * 1000:g} ms" for name, line in objectives.items())
    return chart(
        f"{service.capitalize()} latency at the gateway",
        f"Quantiles of successful {service} requests, queueing for a thread included. The lines are the thresholds of "
        f"the latency SLOs: {stated}. Each dot is a request; select it to open its trace.",
        "s",
        _quantiles(served),
        lines=list(objectives.values()),
    )


def _rate_of_one() -> Panel:
    return chart(
        "Request rate by replica",
        "Requests that each replica answered. Replicas of one group get equal shares; the canary gets its weight.",
        "reqps",
        [Query(rate(COUNT, WINDOW, ONE, by="instance"), "{{instance}}")],
    )


def _errors_of_one() -> Panel:
    return chart(
        "Error ratio by replica",
        "The part of requests that ended in a 5xx. One replica alone points to its version, configuration or host; all "
        "of them, to something that they share.",
        "percentunit",
        [Query(errors(ONE, "instance"), "{{instance}}")],
        maximum=1,
    )


def _latency_of_one() -> Panel:
    return chart(
        "Latency of $service",
        "Quantiles of successful requests over all replicas, measured by the service itself: without the gateway and "
        "the network. Each dot is a request; select it to open its trace.",
        "s",
        _quantiles(f"{ONE},{SERVED}"),
    )


def _distribution() -> Panel:
    buckets = rate(f"{names.HTTP_SERVER_DURATION}_bucket", WINDOW, f"{ONE},{SERVED}", by="le")
    return distribution(
        "Latency distribution of $service",
        "Successful requests a second by duration. Two bands are two populations, such as cache hits and misses, or "
        "two versions; a quantile alone hides that.",
        "s",
        Query(buckets, "{{le}}", exemplars=True),
    )


def _threads() -> Panel:
    return chart(
        "Busy worker threads",
        "The part of each replica's worker threads that is busy. When all are, requests wait. The line is where "
        "ThreadSaturation opens a ticket.",
        "percentunit",
        [
            Query(
                f'{names.HTTP_SERVER_THREADS}{{job="$service",state="busy"}} / ignoring (state) '
                f'{names.HTTP_SERVER_THREADS}{{job="$service",state="all"}}',
                "{{instance}}",
            )
        ],
        lines=[limits.guardrail("ThreadSaturation")],
        maximum=1,
    )


def _waiting() -> Panel:
    return chart(
        "Requests waiting for a thread",
        "Requests that a replica has received and not begun to handle. Their latency grows while they wait.",
        "none",
        [Query(f'{names.HTTP_SERVER_WAITING}{{job="$service"}}', "{{instance}}")],
    )


def _quantiles(matchers: str) -> list[Query]:
    """p50, p95 and p99; the p99's exemplars are those of all requests."""
    return [
        Query(quantile(percent / 100, names.HTTP_SERVER_DURATION, WINDOW, matchers), f"p{percent}", percent == 99)
        for percent in (50, 95, 99)
    ]
