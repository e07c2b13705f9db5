"""The SLO specs and window profiles as the site reads them: once, from rules/."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lab.errors import LabError
from lab.slo.library import spec_paths
from lab.slo.model import Slo, Windows
from lab.slo.spec import read_spec
from lab.slo.windows import read_windows


@dataclass(frozen=True)
class Promises:
    """Everything below rules/slos and rules/windows."""

    rules: Path

    @cached_property
    def slos(self) -> list[Slo]:
        """Every SLO, file by file."""
        files = spec_paths(self.rules / "slos")
        if not files:
            raise LabError(f"{self.rules / 'slos'} holds no SLO spec")
        return [slo for file in files for slo in read_spec(file)]

    @cached_property
    def lab(self) -> Windows:
        """The compressed windows the lab runs."""
        return read_windows(self.rules / "windows" / "lab.yml")

    @cached_property
    def production(self) -> Windows:
        """The windows of 30 days."""
        return read_windows(self.rules / "windows" / "production.yml")

    def windows(self, profile: str) -> Windows:
        """`lab` or `production`."""
        if profile not in {"lab", "production"}:
            raise LabError(f"no window profile {profile!r}; there are lab and production")
        return self.lab if profile == "lab" else self.production

    def slo(self, ident: str) -> Slo:
        """One SLO by its sloth_id; LabError names those there are."""
        for slo in self.slos:
            if slo.sloth_id == ident:
                return slo
        raise LabError(f"no SLO {ident!r}; there are {', '.join(slo.sloth_id for slo in self.slos)}")


def title(slo: Slo) -> str:
    """`feed latency p99`."""
    return f"{slo.service} {slo.name.replace('-', ' ')}"
