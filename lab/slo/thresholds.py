"""The latency threshold of an SLO, read from its query."""

from __future__ import annotations

import re

from lab.errors import LabError
from lab.slo.model import EventsSli, Slo

_EDGE = re.compile(r'\ble="([0-9.]+)"')


def threshold_seconds(slo: Slo) -> float | None:
    """The latency threshold in seconds, read from the bucket edge in the SLI; None for an availability SLO.

    Raises LabError when the query uses several bucket edges.
    """
    edges = set(_EDGE.findall(slo.sli.error_query)) if isinstance(slo.sli, EventsSli) else set()
    if len(edges) > 1:
        raise LabError(
            f"{slo.origin.file}: {slo.sloth_id} compares with several bucket edges: {', '.join(sorted(edges))}"
        )
    return float(edges.pop()) if edges else None
