"""The verdict on a drill: a list of checks, computed from facts alone. No clock, no network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lab.drills.schema.grades import Check
from lab.drills.schema.record import Prediction
from lab.drills.spec.drill import Drill
from lab.slo.model import PAGE


@dataclass(frozen=True)
class Facts:
    """The facts of an incident. Times are seconds after the injection of the fault; None: it never happened."""

    page: str | None = None  # the delivered alert: the expected one, or in a control any page
    page_at: float | None = None
    acked_at: float | None = None
    fired: frozenset[tuple[str, str]] = frozenset()  # (alert, severity) of all that fired or were delivered
    runbook_expected: bool = True  # whether this responder follows the runbook
    branch: str | None = None  # the runbook branch that applied and validated
    invalid_commands: tuple[str, ...] = ()  # runbook commands that were refused as invalid
    recovered_at: float | None = None
    resolved_at: float | None = None
    overdue: bool = False  # the SLI, or the drill's own condition, did not recover within the limit
    held: bool = False
    restored: bool = True  # whether the drill's own condition held at the end, if it has one
    down: tuple[str, ...] = ()  # targets that were down at the end
    actors: tuple[str, ...] = ()  # actors of changes, except the fault's own


def grade(drill: Drill, prediction: Prediction | None, facts: Facts) -> list[Check]:
    """Every check of this drill, in the order of an incident's phases."""
    checks = _control(facts) if drill.is_control else _incident(drill, prediction, facts)
    unexpected = {(name, severity) for name, severity in facts.fired if not drill.expect.allows(name, severity)}
    return [
        *checks,
        Check(
            "silent_alerts",
            not unexpected,
            f"not expected: {_listed(unexpected)}" if unexpected else _silence(drill),
        ),
        Check(
            "nothing_else_broken",
            not facts.down,
            f"down: {', '.join(facts.down)}" if facts.down else "every target is up",
        ),
    ]


def _silence(drill: Drill) -> str:
    return f"{len(drill.expect.silent())} alerts stayed silent"


def _listed(alerts: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{severity} {name}" for name, severity in sorted(alerts))


def _control(facts: Facts) -> list[Check]:
    pages = sorted(
        {name for name, severity in facts.fired if severity == PAGE} | ({facts.page} if facts.page else set())
    )
    return [
        Check("nobody_paged", not pages, f"paged: {', '.join(pages)}" if pages else "no page arrived"),
        Check(
            "nobody_acted",
            not facts.actors,
            f"changes without a page by {', '.join(facts.actors)}" if facts.actors else "no changes",
        ),
    ]


def _incident(drill: Drill, prediction: Prediction | None, facts: Facts) -> list[Check]:
    severity = drill.expect.severity
    if facts.page_at is None:
        return [Check("page_arrived", False, f"no {severity} {drill.expect.alert} arrived")]
    checks = [Check("page_arrived", True, f"{severity} {facts.page} at T+{facts.page_at:.1f} s")]
    if prediction is not None:
        checks.append(_detection(prediction, facts.page_at))
    if missing := drill.expect.required() - facts.fired:
        checks.append(Check("other_alerts", False, f"did not fire: {_listed(missing)}"))
    elif drill.expect.required():
        checks.append(Check("other_alerts", True, f"fired too: {_listed(drill.expect.required())}"))
    checks.append(
        Check(
            "acknowledged",
            facts.acked_at is not None,
            f"the {severity} was not acknowledged" if facts.acked_at is None else f"at T+{facts.acked_at:.1f} s",
        )
    )
    if facts.runbook_expected:
        checks.append(_runbook(drill, facts))
    return [*checks, *_recovery(drill, facts)]


def _detection(prediction: Prediction, page_at: float) -> Check:
    stretched = f" x {prediction.tolerance_ratio:g}" if prediction.tolerance_ratio != 1 else ""
    return Check(
        "detected_in_time",
        page_at <= prediction.latest_seconds,
        f"delivered at T+{page_at:.1f} s; predicted {prediction.detection_seconds:.1f} s{stretched}"
        f" + {prediction.allowance_seconds:g} s of pipeline",
    )


def _runbook(drill: Drill, facts: Facts) -> Check:
    if facts.invalid_commands:
        return Check("runbook_worked", False, f"invalid command: {facts.invalid_commands[0]}")
    if facts.branch is None:
        return Check("runbook_worked", False, "no branch applied and validated")
    if drill.branch is not None and facts.branch.partition(". ")[2] != drill.branch:
        return Check("runbook_worked", False, f"branch {facts.branch!r} applied where {drill.branch!r} should have")
    return Check("runbook_worked", True, f"branch {facts.branch}")


def _recovery(drill: Drill, facts: Facts) -> list[Check]:
    limit = f"{drill.limits.respond_seconds:g} s of the {drill.expect.severity}"
    services = " and ".join(drill.services)
    checks = []
    if services:
        checks.append(
            Check(
                "sli_recovered",
                facts.recovered_at is not None and not facts.overdue,
                f"{services} did not meet the objectives again within {limit}"
                if facts.recovered_at is None or facts.overdue
                else f"every SLI of {services} recovered at T+{facts.recovered_at:.1f} s",
            )
        )
    if drill.restored is not None:
        means = drill.restored.means
        restored = facts.restored and not facts.overdue
        checks.append(Check("restored", restored, means if restored else f"not within {limit}: {means}"))
    return [
        *checks,
        Check(
            "alert_resolved",
            facts.resolved_at is not None,
            "the alert did not resolve" if facts.resolved_at is None else f"at T+{facts.resolved_at:.1f} s",
        ),
        Check(
            "held",
            facts.held,
            f"stayed good for {drill.limits.hold_seconds:g} s" if facts.held else "did not stay good",
        ),
    ]
