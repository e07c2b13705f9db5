"""Detection times on pages: predicted, computed and measured."""

from __future__ import annotations

import re
from collections.abc import Callable

from made_record import record
from support import text

from lab.site.sources.context import SiteContext
from lab.site.views import (
    detection,
)

Rewrite = Callable[..., None]


def test_a_detection_is_shown_as_predicted_computed_and_measured_in_table_and_chart(
    context: SiteContext, rewrite: Rewrite
) -> None:
    shown = text(detection.detection_proof(context))
    assert re.search(
        r"INC-001\s+FeedLatencyP99Burn\s+fast-burn page\s+22.3 s\s+24.0 s\s+24.2 s\s+48.5 %\s+48.8 %", shown
    )
    drawn = str(detection.detection_proof(context))
    assert drawn.count("<title>INC-001: predicted 22.3\u00a0s, ") == 2
    rewrite(prediction=record()["prediction"] | {"bound": True})
    drawn = str(detection.detection_proof(context))
    assert "≤\u00a022.3\u00a0s" in drawn and 'class="dot dot--bound" cx="' in drawn
