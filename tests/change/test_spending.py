"""The ledger of a running lab follows the arithmetic of the rule that records the remaining budget."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from documents import page, page_json
from fakes import FakePager, JsonServer
from hypothesis import example, given
from hypothesis import strategies as st
from made_record import ZERO, at, record

from lab.change import spending
from lab.change.ledger import Kind, Ledger, ledger
from lab.change.spans import Reach
from lab.change.spending import Samples
from lab.clients.prometheus import Prometheus
from lab.control.lab_clients import LabClients
from lab.drills.evidence.record import folder
from lab.slo.catalogue import LAB, find_slo, load_windows

WINDOWS, SLO = load_windows(LAB), find_slo("feed-latency-p99")
EVALUATIONS = 21600  # in the lab's period
RATES = st.lists(st.tuples(st.floats(0, 500), st.floats(0, 500)), min_size=1, max_size=50)


def points(values: list[float], start: float = 0.0) -> list[tuple[float, float]]:
    return [(start + 2 * index, value) for index, value in enumerate(values)]


def rule(bad: list[float], total: list[float]) -> float:
    """What the rule records, in its own arithmetic: see lab/slo/rendering/budget.py."""
    ratio = min(1.0, max(0.0, sum(bad) / max(sum(total), 1e-9)))
    return 1 - ratio * min(len(total) / EVALUATIONS, 1) / 0.01


def left(bad: list[float], total: list[float]) -> float:
    samples = Samples(0.0, 1.0, points(bad), points(total))
    return float(ledger(samples.intervals(WINDOWS), [], samples.allowed(SLO, WINDOWS)).left_share)


@given(rates=RATES)
@example(rates=[(2e-16, 2e-16)])  # below the rule's floor
def test_what_is_left_is_what_the_rule_records(rates: list[tuple[float, float]]) -> None:
    bad, total = [min(pair) for pair in rates], [max(pair) for pair in rates]
    assert left(bad, total) == pytest.approx(rule(bad, total), abs=1e-9)


@pytest.mark.parametrize(
    ("bad", "total"),
    [([3.0], [0.0]), ([0.0], [0.0]), ([1.0] * 30000, [80.0] * 30000)],
    ids=["more bad events than events", "no events", "more samples than evaluations"],
)
def test_the_limits_of_the_rule_are_the_ledgers(bad: list[float], total: list[float]) -> None:
    assert left(bad, total) == pytest.approx(rule(bad, total), abs=1e-9)


START = ZERO.timestamp() - 100
ANSWERED = START + 400  # of the last evaluation
# One bad event a second from 100 s after the start, where the injection is, to 120 s; and one at 300 s.
BAD = [1.0 if 100 <= 2 * index <= 120 else 0.5 if index == 150 else 0.0 for index in range(201)]


@pytest.fixture
def prometheus() -> Iterator[JsonServer]:
    """Answers with the samples of one SLO, and has no other."""

    def answer(_method: str, path: str, _body: Any) -> tuple[int, Any]:
        query = parse_qs(urlsplit(path).query)["query"][0]
        kind, result = "vector", list[Any]()
        if "feed-latency-p99" in query and "[12h]" in query:
            kind, rates = "matrix", BAD if "slo:sli_error" in query else [80.0] * 201
            samples = [[at, str(value)] for at, value in points(rates, START)]
            # Two sets of labels: the rule sums over them.
            result = [{"metric": {}, "values": samples[:55]}, {"metric": {"owner": "us"}, "values": samples[55:]}]
        elif "feed-latency-p99" in query:
            value = ANSWERED if "timestamp" in query else rule(BAD, [80.0] * 201) if "remaining" in query else 0.2
            result = [{"metric": {}, "value": [ANSWERED, str(value)]}]
        return 200, {"data": {"resultType": kind, "result": result}}

    server = JsonServer(answer)
    yield server
    server.close()


@pytest.fixture
def lab(clients: LabClients, prometheus: JsonServer, pager: FakePager) -> LabClients:
    """A lab with a record of a drill, one that cannot be read, the drill's page, and a change after it."""
    folder(clients.home).mkdir(parents=True)
    (folder(clients.home) / "INC-001.json").write_text(json.dumps(record()))
    (folder(clients.home) / "INC-002.json").write_text("{")
    pager.pages = [page_json(starts_at=at(24), resolved_at=at(36), labels={"sloth_id": SLO.sloth_id})]
    change = {"id": "1", "at": at(195), "actor": "ada", "action": "flag set", "target": "single-flight"}
    pager.rows["1"] = change | {"old": False, "new": True, "outcome": "done", "reason": ""}
    return replace(clients, prometheus=Prometheus(prometheus.url))


def test_a_lab_charges_its_drills_pages_and_changes(lab: LabClients) -> None:
    reported: list[str] = []
    (_, spent), (_, unknown) = spending.read(lab, [SLO, find_slo("user-availability")], WINDOWS, reported.append)
    assert unknown is None
    assert spent is not None
    assert spent.at == ANSWERED
    assert charged(spent.ledger) == [("INC-001", Kind.DRILL, 22), ("flag set single-flight by ada", Kind.CHANGE, 1)]
    assert float(spent.ledger.left_share) == pytest.approx(spent.remaining_ratio, abs=1e-12)
    assert len(reported) == 1
    assert "INC-002.json is damaged" in reported[0]


def test_without_its_record_a_drill_is_charged_to_the_page_from_the_first_bad_event_on(lab: LabClients) -> None:
    (folder(lab.home) / "INC-001.json").unlink()
    ((_, spent),) = spending.read(lab, [SLO], WINDOWS, lambda _: None)
    assert spent is not None
    assert charged(spent.ledger)[0] == ("FeedLatencyP99Burn (page 7)", Kind.PAGE, 22)
    assert spent.ledger.entries[0].span.start == ZERO.timestamp() - 5, "the window of the first bad sample"


@pytest.mark.parametrize(("ratio", "window_seconds"), [(0.2, 60), (0.1, 360), (0.0, 360)])
def test_a_page_reaches_back_over_the_window_of_the_tier_that_held(
    prometheus: JsonServer, ratio: float, window_seconds: float
) -> None:
    prometheus.answer = lambda *_: (
        200, {"data": {"resultType": "vector", "result": [{"metric": {}, "value": [0, str(ratio)]}]}}
    )  # fmt: skip
    reach = spending._reach(Prometheus(prometheus.url), WINDOWS)
    assert reach(page(labels={"sloth_id": SLO.sloth_id})) == Reach(window_seconds, 30)
    assert reach(page(labels={})) == Reach(60, 30), "an alert without an SLO"


def charged(found: Ledger) -> list[tuple[str, Kind, int]]:
    return [(entry.span.name, entry.span.kind, int(entry.bad)) for entry in found.entries]
