"""The spans of a budget ledger begin where bad events may begin, and end where they may end."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from documents import audit_row, page
from made_record import ZERO, at, record

from lab.change import spans
from lab.change.ledger import Interval, Kind, Span
from lab.change.spans import Reach
from lab.clients.documents import AuditRow
from lab.drills.schema.record import Record, parse

T0 = ZERO.timestamp()
SLO = "feed-latency-p99"
OF_SLO = {"sloth_id": SLO}


def drill(**changes: object) -> Record:
    return parse(record() | changes)


def row(seconds: float, action: str, new: object = None, actor: str = "ada", target: str = "feed") -> AuditRow:
    return audit_row(at=at(seconds), action=action, new=new, actor=actor, target=target)


def since_t0(found: list[Span]) -> list[tuple[str, Kind, float, float]]:
    return [(span.name, span.kind, span.start - T0, span.end - T0) for span in found]


def test_a_drill_lasts_from_the_injection_to_its_end_and_a_control_spends_nothing() -> None:
    assert since_t0(spans.drills([drill(), drill(prediction=None)])) == [("INC-001", Kind.DRILL, 0, 90)]


def bad(*seconds: float) -> list[Interval]:
    """One bad event in each of these seconds after the injection."""
    return [Interval(T0 + end - 1, T0 + end, Fraction(1)) for end in seconds]


@pytest.mark.parametrize(
    ("events", "onset"),
    [
        (bad(-50, -20, 5, 31, 59), -51),
        (bad(-50, -20, 5, 37, 59), 36),  # 31 s of quiet before
        (bad(-301, *range(-270, 60, 20)), -300),  # no longer than the window
        (bad(70), 60),
        ([], 60),
        ([*bad(59), Interval(T0 + 20, T0 + 40, Fraction(0))], 58),
    ],
)
def test_a_page_begins_with_the_bad_events_that_made_its_alert_fire(events: list[Interval], onset: float) -> None:
    assert Reach(360, 30).onset(events, T0 + 60) - T0 == onset


def test_a_page_of_the_slo_itself_differs_from_other_pages_and_tickets_have_no_span() -> None:
    delivered = [
        page(id=3, starts_at=at(300), severity="ticket", labels=OF_SLO),
        page(id=2, starts_at=at(200), alertname="GatewayDown"),
        page(id=1, starts_at=at(60), resolved_at=at(90), labels=OF_SLO),
    ]
    assert since_t0(spans.pages(delivered, [], lambda _: Reach(60, 30), SLO, bad(58))) == [
        ("FeedLatencyP99Burn (page 1)", Kind.PAGE, 57, 90),
        ("GatewayDown (page 2)", Kind.OTHER_PAGE, 200, math.inf),
    ]


def test_pages_of_one_alert_that_overlap_are_one_incident() -> None:
    delivered = [
        page(id=1, starts_at=at(60), resolved_at=at(90), labels=OF_SLO),
        page(id=2, starts_at=at(110), resolved_at=at(130), labels=OF_SLO),
        page(id=3, starts_at=at(300), labels=OF_SLO),
    ]
    assert since_t0(spans.pages(delivered, [], lambda _: Reach(60, 30), SLO, bad(90, 100))) == [
        ("FeedLatencyP99Burn (page 1)", Kind.PAGE, 60, 130),
        ("FeedLatencyP99Burn (page 3)", Kind.PAGE, 300, math.inf),
    ]


def test_the_page_of_a_drill_is_not_charged_for_what_was_before_the_injection() -> None:
    delivered = [page(starts_at=at(24), labels=OF_SLO)]
    (found,) = spans.pages(delivered, spans.drills([drill()]), lambda _: Reach(360, 30), SLO, bad(-20, 0, 20))
    assert found.start == T0


def test_a_change_is_charged_for_a_while_and_a_canary_weight_until_the_next() -> None:
    rows = [
        row(0, "config push"),
        row(10, "canary weight", 10.0, target="gateway"),
        row(500, "canary weight", 0, target="gateway"),
        row(600, "canary weight", 5, target="gateway"),
    ]
    assert since_t0(spans.changes(rows, 360)) == [
        ("config push feed by ada", Kind.CHANGE, 0, 360),
        ("canary weight gateway by ada", Kind.CHANGE, 10, 860),
        ("canary weight gateway by ada", Kind.CHANGE, 500, 860),
        ("canary weight gateway by ada", Kind.CHANGE, 600, math.inf),
    ]


def test_what_leaves_the_answers_to_requests_alone_is_no_change() -> None:
    actions = ("incident diagnose", "incident hint", "budget override", "log level", "log rotate", "service reload")
    assert spans.changes([row(0, action) for action in (*actions, "rollout hold", "rollout abort")], 360) == []


CONTROLLER = "rollout-controller"


def test_a_rollout_includes_what_its_controller_did() -> None:
    rows = [
        row(0, "rollout start", "1.1.0"),
        row(1, "config push", {}, CONTROLLER, "feed-canary"),
        row(2, "canary weight", 5, CONTROLLER),
        row(40, "canary weight", 0, CONTROLLER),
        row(50, "config rollback", {}, CONTROLLER, "feed-canary"),
        row(900, "rollout start", "1.2.0"),
        row(902, "canary weight", 5, CONTROLLER),
    ]
    assert since_t0(spans.changes(rows, 360)) == [
        ("rollout of feed 1.1.0", Kind.ROLLOUT, 0, 410),
        ("rollout of feed 1.2.0", Kind.ROLLOUT, 900, math.inf),
    ]


def test_a_weight_set_by_hand_ends_the_exposure_of_a_rollout_and_later_ones_are_not_the_rollouts() -> None:
    rows = [
        row(0, "rollout start", "1.1.0"),
        row(2, "canary weight", 5, CONTROLLER),
        row(30, "canary weight", 0),
        row(1000, "canary weight", 20),
        row(1010, "canary weight", 0),
    ]
    rollout = next(span for span in spans.changes(rows, 360) if span.kind is Kind.ROLLOUT)
    assert rollout.end - T0 == 390


def test_a_rollout_that_was_refused_at_once_is_still_charged_for_a_while() -> None:
    assert since_t0(spans.changes([row(0, "rollout start", "1.1.0")], 360)) == [
        ("rollout of feed 1.1.0", Kind.ROLLOUT, 0, 360)
    ]
