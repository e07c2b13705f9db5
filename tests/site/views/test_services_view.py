"""Flags, metrics and thresholds of the services on pages."""

from __future__ import annotations

import pytest

from lab import names
from lab.errors import LabError
from lab.site.sources.context import SiteContext
from lab.site.views import (
    services,
)


def test_a_threshold_that_is_not_a_bucket_edge_is_refused_by_its_spec(
    context: SiteContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert services.objective_edges(context).replace("\u00a0", " ") == "150 ms, 200 ms, 300 ms and 400 ms"
    edges = tuple(edge for edge in names.LATENCY_BUCKETS_SECONDS if edge != 0.4)
    monkeypatch.setattr(names, "LATENCY_BUCKETS_SECONDS", edges)
    with pytest.raises(LabError, match=r"feed\.yml: feed-latency-p99 has the threshold 0\.4 s"):
        services.objective_edges(context)
