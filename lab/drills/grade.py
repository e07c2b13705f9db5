"""The verdict: facts in, checks out. No clock, no network."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.drills.prediction import Prediction
from lab.drills.spec import Drill


@dataclass(frozen=True)
class Check:
    """One thing that had to be true, whether it was, and the figures."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Facts:
    """What happened. Instants are seconds after the fault began; None: it never did."""

    page: str | None = None  # the alert of the first page
    page_at: float | None = None
    acked_at: float | None = None
    other_pages: tuple[str, ...] = ()  # alerts that paged beside the expected one
    noisy: tuple[str, ...] = ()  # alerts of the silent list that fired, page or ticket
    runbook_expected: bool = True  # whether this responder works by the runbook
    branch: str | None = None  # the runbook branch that applied and validated
    invalid_commands: tuple[str, ...] = ()  # runbook commands that were no valid request
    recovered_at: float | None = None
    resolved_at: float | None = None
    held: bool = False
    down: tuple[str, ...] = ()  # targets that did not answer at the end
    actors: tuple[str, ...] = field(default=())  # who changed something, the fault itself left out


def grade(drill: Drill, prediction: Prediction | None, facts: Facts) -> list[Check]:
    """Every check of this drill, in the order in which an incident goes."""
    checks = _incident(drill, prediction, facts) if drill.expect.page else _control(facts)
    return [
        *checks,
        Check(
            "silent_alerts",
            not facts.noisy,
            f"fired: {', '.join(facts.noisy)}" if facts.noisy else f"{len(drill.expect.silent)} alerts stayed silent",
        ),
        Check(
            "nothing_else_broken",
            not facts.down,
            f"not answering: {', '.join(facts.down)}" if facts.down else "every target answers",
        ),
    ]


def _control(facts: Facts) -> list[Check]:
    pages = tuple(name for name in (facts.page, *facts.other_pages) if name)
    return [
        Check("nobody_paged", not pages, f"paged: {', '.join(pages)}" if pages else "no page arrived"),
        Check(
            "nobody_acted",
            not facts.actors,
            f"changed without a page: {', '.join(facts.actors)}" if facts.actors else "nothing was changed",
        ),
    ]


def _incident(drill: Drill, prediction: Prediction | None, facts: Facts) -> list[Check]:
    checks = [
        Check(
            "page_arrived",
            facts.page_at is not None,
            "no page arrived" if facts.page_at is None else f"{facts.page} at T+{facts.page_at:.1f} s",
        )
    ]
    if facts.page_at is None:
        return checks
    wrong = tuple(name for name in (facts.page, *facts.other_pages) if name and name != drill.expect.page)
    checks.append(
        Check(
            "right_alert",
            not wrong,
            f"also paged: {', '.join(wrong)}" if wrong else f"only {drill.expect.page} paged",
        )
    )
    if prediction is not None:
        checks.append(
            Check(
                "detected_in_time",
                facts.page_at <= prediction.latest_seconds,
                f"page at T+{facts.page_at:.1f} s; predicted {prediction.detection_seconds:.1f} s"
                f" + {prediction.allowance_seconds:g} s of pipeline",
            )
        )
    checks.append(
        Check(
            "acknowledged",
            facts.acked_at is not None,
            "nobody took the page" if facts.acked_at is None else f"at T+{facts.acked_at:.1f} s",
        )
    )
    if facts.runbook_expected:
        checks.append(_runbook(facts))
    return [*checks, *_recovery(drill, facts)]


def _runbook(facts: Facts) -> Check:
    if facts.invalid_commands:
        return Check("runbook_worked", False, f"not a valid request: {facts.invalid_commands[0]}")
    if facts.branch is None:
        return Check("runbook_worked", False, "no branch applied and validated")
    return Check("runbook_worked", True, f"branch {facts.branch}")


def _recovery(drill: Drill, facts: Facts) -> list[Check]:
    service = drill.effect.slo.partition("-")[0] if drill.effect else "the service"
    return [
        Check(
            "sli_recovered",
            facts.recovered_at is not None,
            f"{service} did not get back inside its objectives within {drill.limits.respond_seconds:g} s of the page"
            if facts.recovered_at is None
            else f"every SLI of {service} good again at T+{facts.recovered_at:.1f} s",
        ),
        Check(
            "alert_resolved",
            facts.resolved_at is not None,
            "the page never resolved" if facts.resolved_at is None else f"at T+{facts.resolved_at:.1f} s",
        ),
        Check(
            "held",
            facts.held,
            f"stayed good for {drill.limits.hold_seconds:g} s" if facts.held else "did not stay good",
        ),
    ]
