"""Recorded rollouts on the change page: their evidence, their steps, and the judge beside the ungated incidents."""

from __future__ import annotations

import re

import pytest
from test_policies_view import cells

from lab.clients.times import epoch_seconds
from lab.errors import LabError
from lab.rollout.judge import Verdict
from lab.rollout.recorded_step import judgements
from lab.site.sources.context import SiteContext
from lab.site.views.change import rollouts
from lab.site.views.change.rollouts import GATED, UNGATED, failed_after_seconds


@pytest.fixture(scope="module")
def site() -> SiteContext:
    return SiteContext()


def test_the_gate_stops_the_version_of_inc_001_with_a_tenth_of_its_bad_requests_and_without_a_page(
    site: SiteContext,
) -> None:
    gated, ungated = site.rollouts.rollout(GATED), site.records.read(UNGATED[0]).data
    bad = sum(step.counts["feed-latency-p99"]["canary"].bad_requests[-1] for step in gated.steps)
    assert 0 < bad <= ungated.budget["feed-latency-p99"].bad_events / 10
    assert gated.pages == []
    assert [page.severity for page in ungated.pages].count("page") >= 1
    failed = failed_after_seconds(gated.steps[-1], gated.policy.limits)
    assert failed is not None
    assert failed < (ungated.durations.page_seconds or 0)


def test_the_ungated_incidents_and_the_gate_stand_side_by_side(site: SiteContext) -> None:
    head, *rows = cells(rollouts.gated_and_ungated(site))
    assert [title.split(",")[0] for title in head[1:]] == ["INC-001", "INC-002", "feed 1.1.0", "feed configuration"]
    table = {row[0]: row[1:] for row in rows}
    assert table["Reached"] == [
        "50 % of the clients",
        "every replica of feed",
        "5 % of the clients",
        "one replica, feed-2",
    ]
    assert table["Pages"][-2:] == ["no page", "no page"]
    assert re.fullmatch(r"aborted after \d+ s; simulated \d+ s, p95 \d+ s", table["Noticed"][-2])
    assert table["Noticed"][-1].startswith("taken back after ")
    for ident, bad in zip(UNGATED, table["Bad requests"], strict=False):
        slo = site.drill(ident).effect
        assert slo is not None
        assert bad == f"{site.records.read(ident).data.budget[slo.slo].bad_events}"
    for ident, noticed, pages in zip(UNGATED, table["Noticed"], table["Pages"], strict=False):
        data = site.records.read(ident).data
        first = min((page for page in data.pages if page.severity == "page"), key=lambda page: page.received_at)
        assert noticed == f"paged after {epoch_seconds(first.received_at) - epoch_seconds(data.t0):.1f} s"
        assert pages.startswith(first.alertname)


def test_the_evidence_is_the_judge_s_and_the_abort_is_marked_where_it_crosses_the_threshold(site: SiteContext) -> None:
    record = site.rollouts.rollout(GATED)
    seen = judgements(record.steps[-1], record.policy.limits)
    assert seen[-1].harm_log10 == pytest.approx(record.steps[-1].harm_log10, abs=1e-5)
    failed = failed_after_seconds(record.steps[-1], record.policy.limits)
    assert failed is not None
    assert [row.verdict for row in seen].index(Verdict.FAIL) == failed - 1
    assert seen[failed - 2].harm_log10 < seen[0].harm_threshold_log10 <= seen[failed - 1].harm_log10
    drawn = str(rollouts.rollout_evidence(site, GATED))
    assert f"threshold {seen[0].harm_threshold_log10:.1f}" in drawn
    assert ">aborted</text>" in drawn
    _, *rows = cells(rollouts.rollout_evidence(site, GATED))
    assert [row[-1] for row in rows] == [f"{row.harm_log10:.2f}".replace("-", "\N{MINUS SIGN}") for row in seen]


def test_a_rollout_that_was_not_aborted_has_evidence_without_a_mark(site: SiteContext) -> None:
    record = site.rollouts.rollout("feed-1.2.0")
    assert all(failed_after_seconds(step, record.policy.limits) is None for step in record.steps)
    assert ">aborted</text>" not in str(rollouts.rollout_evidence(site, "feed-1.2.0"))


def test_the_story_has_a_row_for_each_step_with_its_verdict_and_reason(site: SiteContext) -> None:
    record = site.rollouts.rollout("feed-1.2.0")
    _, *rows = cells(rollouts.rollout_story(site, "feed-1.2.0"))
    assert [row[0] for row in rows] == ["5 %", "25 %", "50 %", "100 %"]
    assert [row[4] for row in rows] == ["pass"] * 4
    assert [row[5] for row in rows] == [step.reason for step in record.steps]
    note = re.sub(r"<[^>]+>", "", str(rollouts.rollout_story(site, "feed-1.2.0")))
    assert "feed 1.2.0 promoted, " in note
    assert "rollouts/feed-1.2.0.json" in note


def test_a_gated_run_that_was_not_stopped_is_refused(site: SiteContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollouts, "GATED", "feed-1.2.0")
    with pytest.raises(LabError, match=r"feed-1\.2\.0\.json: its last step did not fail"):
        rollouts.gated_and_ungated(site)
