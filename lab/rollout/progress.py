"""What the controller saw last: the evidence for and against the version, for people and for metrics.

Nothing is decided by it: the controller computes each verdict from the counts again.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from lab.atomic_write import write_json
from lab.clients.documents import Document, as_builtins
from lab.paths import Home
from lab.rollout.journal import Rollout
from lab.rollout.judge import Judgement, Verdict


class SloProgress(Document, frozen=True, kw_only=True):
    """One SLO's requests on the canary since the step began, and its evidence in powers of ten."""

    slo: str
    requests: int
    bad_requests: int
    bound_ratio: float
    harm_log10: float
    health_log10: float


class Progress(Document, frozen=True, kw_only=True):
    """The verdict on one step; thresholds are those of the evidence, in powers of ten."""

    step_key: str
    verdict: Verdict
    reason: str
    harm_log10: float
    harm_threshold_log10: float
    health_threshold_log10: float
    slos: list[SloProgress]


def save(home: Home, rollout: Rollout, judgement: Judgement) -> None:
    """Write the progress of the current step."""
    progress = Progress(
        step_key=rollout.step_key, verdict=judgement.verdict, reason=judgement.reason,
        harm_log10=round(judgement.harm_log10, 3), harm_threshold_log10=round(judgement.harm_threshold_log10, 3),
        health_threshold_log10=round(judgement.health_threshold_log10, 3),
        slos=[
            SloProgress(
                slo=row.slo, requests=row.requests.canary.total, bad_requests=row.requests.canary.bad,
                bound_ratio=row.bound, harm_log10=round(row.harm_log10, 3), health_log10=round(row.health_log10, 3),
            )
            for row in judgement.slos
        ],
    )  # fmt: skip
    write_json(_file(home), as_builtins(progress))


def load(home: Home, rollout: Rollout) -> Progress | None:
    """The progress of the rollout's current step; None before its first verdict, and when the rollout is over."""
    try:
        progress = msgspec.json.decode(_file(home).read_bytes(), type=Progress)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None
    return progress if progress.step_key == rollout.step_key and not rollout.is_over else None


def _file(home: Home) -> Path:
    return home.run / "rollout.progress.json"
