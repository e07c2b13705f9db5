"""Reads a spec file of either format: Sloth `prometheus/v1` or OpenSLO v1."""

from __future__ import annotations

from pathlib import Path

from lab.slo.model import Slo
from lab.slo.specs.document import read_documents
from lab.slo.specs.openslo import read_openslo
from lab.slo.specs.sloth import VERSION, read_sloth


def read_spec(path: Path) -> list[Slo]:
    """Every SLO of a spec file of one or more documents. Raises SpecError."""
    documents = list(read_documents(path, first_key="version"))
    first = documents[0]
    if isinstance(first.value, dict) and "apiVersion" in first.value:
        slos = read_openslo(documents)
        if not slos:
            raise first.refuse(f"holds no SLO; write a kind SLO, or a {VERSION} spec")
        return slos
    return [slo for document in documents for slo in read_sloth(document)]
