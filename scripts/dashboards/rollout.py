"""The dashboard of a rollout: its progress, the judge's evidence, and the canary beside the stable version."""

from __future__ import annotations

from lab import names
from lab.slo.query.builders import quantile, rate
from scripts.dashboards import limits
from scripts.dashboards.board import Board, Row
from scripts.dashboards.panels import GREEN, RED, WINDOW, YELLOW, Panel, Query, chart, label, number

COUNT = f"{names.HTTP_SERVER_DURATION}_count"
FEED = f'job="feed",http_route="{names.ROUTE_FEED}"'
ARMS = (("stable", names.OF_STABLE), ("canary", names.OF_CANARY))


def board() -> Board:
    """The dashboard."""
    return Board(
        "fleetops-rollout",
        "Rollout",
        "The feed's rollout: how far it is, what the judge knows, and how the canary compares with the stable version.",
        (
            Row("Now", _now()),
            Row("Progress", (_weight(), _evidence())),
            Row("Canary beside stable", (_rate(), _errors(), _latency(), _queries())),
            Row("Versions", (_versions(), _overrides())),
        ),
    )


def _now() -> tuple[Panel, ...]:
    return (
        label(
            "Phase",
            "The phase of the rollout, of the last one when none is running; none when there never was one.",
            Query(_named(names.ROLLOUT_PHASE, "phase"), "{{phase}}"),
        ),
        number(
            "Step",
            "The step of the ladder of canary weights, from 1; 0 when there was no rollout.",
            "none",
            Query(f"max({names.ROLLOUT_STEP}) or vector(0)", "step"),
        ),
        label(
            "Verdict",
            "The judge's verdict on the current step so far: pass, hold or fail.",
            Query(_named(names.ROLLOUT_VERDICT, "verdict"), "{{verdict}}"),
        ),
        number(
            "Canary weight",
            "The part of feed requests that the gateway sends to the canary.",
            "percentunit",
            Query(f"max({names.GATEWAY_CANARY_WEIGHT})", "weight"),
            base=GREEN, steps=((0.001, YELLOW),), decimals=0,
        ),
        number(
            "Error budget of the feed",
            "What is left of the budget of the feed's SLO that has the least. The colours are the states of the "
            "error-budget policy, which decides whether a rollout may start.",
            "percentunit",
            Query('min(slo:period_error_budget_remaining:ratio{sloth_service="feed"})', "budget left"),
            base=RED, steps=limits.budget_steps(), decimals=1,
        ),
        number(
            "Overrides",
            "Changes that went ahead against the error-budget policy. Each is in the audit log with its reason.",
            "none",
            Query(f"sum({names.BUDGET_OVERRIDES})", "overrides"),
        ),
    )  # fmt: skip


def _weight() -> Panel:
    return chart(
        "Canary weight",
        "The part of feed requests that goes to the canary. A rollout raises it step by step and sets it to 0 when it "
        "aborts.",
        "percentunit",
        [Query(f"max({names.GATEWAY_CANARY_WEIGHT})", "weight")],
        maximum=1,
    )


def _evidence() -> Panel:
    evidence = f"max by (kind, slo) ({names.ROLLOUT_EVIDENCE})"
    threshold = f"max by (kind) ({names.ROLLOUT_THRESHOLD})"
    return chart(
        "Evidence of the step",
        "What the comparison of both versions shows so far, in powers of ten. Harm above its threshold aborts the "
        "rollout; health of every SLO above its own passes the step. 0, as without a rollout, says nothing.",
        "none",
        [
            Query(f"{evidence} or on () vector(0)", "{{kind}} {{slo}}"),
            Query(f"{threshold} or on () vector(0)", "threshold of {{kind}}"),
        ],
        minimum=None, references=["threshold of harm", "threshold of health"],
    )  # fmt: skip


def _rate() -> Panel:
    return chart(
        "Request rate",
        "Feed requests that each version answered. A comparison needs enough requests on both sides.",
        "reqps",
        [Query(f"{_requests(arm)} or on () vector(0)", name) for name, arm in ARMS],
    )


def _errors() -> Panel:
    def ratio(arm: str) -> str:
        failed = _requests(f'{arm},http_response_status_code=~"5.."')
        return _or_gap(f"({failed} or on () vector(0)) / {_requests(arm)}")

    return chart(
        "Error ratio",
        "The part of feed requests that ended in a 5xx, by version.",
        "percentunit",
        [Query(ratio(arm), name) for name, arm in ARMS],
        maximum=1,
    )


def _latency() -> Panel:
    def p99(arm: str) -> str:
        served = f'{FEED},{arm},http_response_status_code=~"2.."'
        return _or_gap(quantile(0.99, names.HTTP_SERVER_DURATION, WINDOW, served))

    return chart(
        "p99 latency",
        "Of successful feed requests, measured by the replicas themselves. The line is the threshold of the p99 SLO. "
        "Each dot is a request; select it to open its trace.",
        "s",
        [Query(p99(arm), name, exemplars=True) for name, arm in ARMS],
        lines=[limits.latency_objective("feed", "latency-p99", RED)],
    )


def _queries() -> Panel:
    def per_request(arm: str) -> str:
        operations = rate(f"{names.DB_OPERATION_DURATION}_count", WINDOW, f'job="feed",{arm}')
        return _or_gap(f"({operations} or on () vector(0)) / {_requests(arm)}")

    return chart(
        "Database operations per request",
        "How many operations a feed request costs, cache hits included. N+1 queries show here before they show in the "
        "latency.",
        "none",
        [Query(per_request(arm), name) for name, arm in ARMS],
    )


def _versions() -> Panel:
    return chart(
        "Running versions",
        "Processes of the feed and the user service by version. Two versions of one service at once are a rollout, or "
        "one that was left half done.",
        "none",
        [
            Query(
                f'count by (service, service_version) ({names.BUILD_INFO}{{service=~"feed|user"}})',
                "{{service}} {{service_version}}",
            )
        ],
        stacked=True,
    )


def _overrides() -> Panel:
    return chart(
        "Overrides of the error-budget policy",
        "How often each kind of change went ahead although the policy refused it.",
        "none",
        [Query(f"sum by (service, change) ({names.BUDGET_OVERRIDES})", "{{service}} {{change}}")],
    )


def _requests(arm: str) -> str:
    """Feed requests a second of the replicas that `arm` matches."""
    return rate(COUNT, WINDOW, f"{FEED},{arm}")


def _or_gap(expr: str) -> str:
    """NaN, which a chart shows as a gap, while a version has not answered any request."""
    return f"{expr} or on () vector(NaN)"


def _named(gauge: str, by: str) -> str:
    """The state that a gauge has at 1, by its label; the state "none" while nothing exports the gauge."""
    return f'max by ({by}) ({gauge} == 1) or on () label_replace(vector(1), "{by}", "none", "", "")'
