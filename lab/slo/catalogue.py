"""Finds the repository's own SLOs, windows and rule files, for docs, drills, the console and the commands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from lab.errors import SpecError, UsageError
from lab.paths import RULES
from lab.slo.burn_rate import Profile, first_detection
from lab.slo.model import PAGE, EventsSli, Slo, Windows
from lab.slo.specs.sloth import read_spec
from lab.slo.specs.windows import read_windows

PRODUCTION = "production"
LAB = "lab"
PROFILES = (PRODUCTION, LAB)
SPEC_SUFFIXES = (".yml", ".yaml")

_ROUTE = re.compile(r'http_route="([^"]+)"')


@dataclass(frozen=True)
class Catalogue:
    """The SLOs, windows and rule files in one `rules` folder, each read once.

    Raises SpecError for a file that cannot be read, UsageError for an unknown SLO or profile.
    """

    rules: Path = RULES

    @cached_property
    def spec_files(self) -> list[Path]:
        """The spec files, sorted by name."""
        return spec_paths(self.rules / "slos")

    @cached_property
    def slos(self) -> tuple[Slo, ...]:
        """Every SLO, in the order of the files."""
        if not self.spec_files:
            raise UsageError(f"{self.rules / 'slos'} contains no SLO spec")
        return tuple(slo for slos in self._by_file.values() for slo in slos)

    @cached_property
    def _by_file(self) -> dict[Path, list[Slo]]:
        return {path: read_spec(path) for path in self.spec_files}

    def slo(self, sloth_id: str) -> Slo:
        """The SLO with an id such as `feed-latency-p99`."""
        for slo in self.slos:
            if slo.sloth_id == sloth_id:
                return slo
        raise UsageError(f"no SLO {sloth_id!r}; there are {', '.join(slo.sloth_id for slo in self.slos)}")

    def spec_file(self, sloth_id: str) -> Path:
        """The file that defines an SLO."""
        slo = self.slo(sloth_id)
        return next(path for path, slos in self._by_file.items() if slo in slos)

    @cached_property
    def lab(self) -> Windows:
        """The compressed windows that the lab uses."""
        return self.windows(LAB)

    @cached_property
    def production(self) -> Windows:
        """The windows of production, with a period of 30 days."""
        return self.windows(PRODUCTION)

    def windows(self, profile: str) -> Windows:
        """The alert windows of `production` or `lab`."""
        path = self.windows_file(profile)
        if not path.is_file():
            raise UsageError(f"no windows {profile!r}; there are {', '.join(PROFILES)}")
        return read_windows(path)

    def windows_file(self, profile: str) -> Path:
        """The file that defines a profile's windows."""
        return self.rules / "windows" / f"{profile}.yml"

    def generated_file(self, profile: str, spec: Path) -> Path:
        """The rule file generated from a spec file, for one profile."""
        return self.rules / profile / f"{spec.stem}.rules.yml"

    def rule_files(self, profile: str) -> list[Path]:
        """Every rule file that a Prometheus of this profile loads: first the generated, then the platform's."""
        return [
            *(self.generated_file(profile, spec) for spec in self.spec_files),
            *sorted((self.rules / "platform").glob("*.rules.yml")),
        ]


@cache
def committed() -> Catalogue:
    """The catalogue of this repository, read once per process."""
    return Catalogue()


def spec_paths(folder: Path) -> list[Path]:
    """The spec files of a folder, sorted by name. Raises SpecError for any other file there that is not hidden."""
    specs: dict[str, Path] = {}
    for path in sorted(path for path in folder.glob("*") if not path.name.startswith(".")):
        if path.suffix.lower() not in SPEC_SUFFIXES or path.is_dir():
            raise SpecError(path, "is not a spec (a .yml or .yaml file directly in this folder); move it elsewhere")
        if (other := specs.setdefault(path.stem, path)) != path:
            raise SpecError(path, f"would write to the same rule files as {other.name}; rename one of them")
    return list(specs.values())


def load_specs() -> tuple[Slo, ...]:
    """Every SLO of the repository, in the order of its files."""
    return committed().slos


def slos_of(service: str) -> list[Slo]:
    """Every SLO of one service, in the order of its files."""
    return [slo for slo in load_specs() if slo.service == service]


def services() -> list[str]:
    """The services that have SLOs, in the order of the files."""
    return list(dict.fromkeys(slo.service for slo in load_specs()))


def find_slo(sloth_id: str) -> Slo:
    """One SLO of the repository by its id."""
    return committed().slo(sloth_id)


@cache
def load_windows(profile: str) -> Windows:
    """The repository's alert windows of `production` or `lab`."""
    return committed().windows(profile)


def time_factor() -> int:
    """How many times faster the lab's windows run than production's."""
    return load_windows(LAB).time_factor


def route(slo: Slo) -> str:
    """The gateway's route template that an SLO measures; "" when its queries name none."""
    query = slo.sli.total_query if isinstance(slo.sli, EventsSli) else slo.sli.error_ratio_query
    match = _ROUTE.search(query)
    return match.group(1) if match else ""


def detection_seconds(
    slo: Slo, profile: Profile, *, windows: Windows | None = None, severity: str = PAGE
) -> float | None:
    """Seconds until an SLO's alert fires under [(seconds, bad ratio), …], whose last piece continues for ever.

    None when it never fires. `windows` defaults to the lab's. Pure arithmetic, without the pipeline's own delay of one
    scrape and two evaluations.
    """
    detection = first_detection((windows or load_windows(LAB)).of(severity), slo.budget_ratio, profile)
    return detection[0] if detection else None


def title(slo: Slo) -> str:
    """An SLO's name for people: `feed latency p99`."""
    return f"{slo.service} {slo.name.replace('-', ' ')}"
