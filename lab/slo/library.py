"""The repository's own SLOs, windows and rule files, and the facts that pages, drills and the console ask of them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lab.errors import SpecError, UsageError
from lab.places import RULES
from lab.slo.burn_rate import Profile, first_detection
from lab.slo.model import PAGE, EventsSli, Slo, Windows
from lab.slo.spec import read_spec
from lab.slo.windows import read_windows

PRODUCTION = "production"
LAB = "lab"
PROFILES = (PRODUCTION, LAB)
SPEC_SUFFIXES = (".yml", ".yaml")

_ROUTE = re.compile(r'http_route="([^"]+)"')


@cache
def load_specs(folder: Path = RULES / "slos") -> tuple[Slo, ...]:
    """Every SLO of the repository, in the order of its files. Raises SpecError."""
    return tuple(slo for path in spec_paths(folder) for slo in read_spec(path))


def spec_paths(folder: Path = RULES / "slos") -> list[Path]:
    """The spec files, in order. Raises SpecError when anything else lies beside them, hidden files apart."""
    found: dict[str, Path] = {}
    for path in sorted(path for path in folder.glob("*") if not path.name.startswith(".")):
        if path.suffix.lower() not in SPEC_SUFFIXES or path.is_dir():
            raise SpecError(path, "is not read: specs are the .yml and .yaml files of this folder itself; move it away")
        if (other := found.setdefault(path.stem, path)) != path:
            raise SpecError(path, f"would have the rule files of {other.name}; rename one")
    return list(found.values())


def find_slo(sloth_id: str) -> Slo:
    """One SLO by its id, such as `feed-latency-p99`. Raises UsageError."""
    for slo in load_specs():
        if slo.sloth_id == sloth_id:
            return slo
    raise UsageError(f"no SLO {sloth_id!r}; there are {', '.join(slo.sloth_id for slo in load_specs())}")


@cache
def load_windows(profile: str) -> Windows:
    """The alert windows of `production` or `lab`. Raises UsageError, SpecError."""
    path = RULES / "windows" / f"{profile}.yml"
    if not path.is_file():
        raise UsageError(f"no windows {profile!r}; there are {', '.join(PROFILES)}")
    return read_windows(path)


def time_factor() -> int:
    """How many times faster the lab's windows run than production's."""
    return load_windows(LAB).time_factor


def route(slo: Slo) -> str:
    """The gateway's route template that an SLO measures; empty when its queries name none."""
    query = slo.sli.total_query if isinstance(slo.sli, EventsSli) else slo.sli.error_ratio_query
    match = _ROUTE.search(query)
    return match.group(1) if match else ""


def detection_seconds(
    slo: Slo, profile: Profile, *, windows: Windows | None = None, severity: str = PAGE
) -> float | None:
    """Seconds until an SLO's alert fires under [(seconds, bad ratio), …] with the last piece going on; None when never.

    Pure arithmetic, without the pipeline's own delay of one scrape and two evaluations. The lab's windows unless given.
    """
    found = first_detection((windows or load_windows(LAB)).of(severity), slo.budget_ratio, profile)
    return found[0] if found else None


def generated_path(profile: str, spec: Path) -> Path:
    """The rule file generated from a spec file, for one profile."""
    return RULES / profile / f"{spec.stem}.rules.yml"


def rule_paths(profile: str) -> list[Path]:
    """Every rule file that a Prometheus of this profile loads: generated ones, then the platform's."""
    return [
        *(generated_path(profile, spec) for spec in spec_paths()),
        *sorted((RULES / "platform").glob("*.rules.yml")),
    ]


def load_rules(profile: str) -> list[dict[str, Any]]:
    """Every rule a Prometheus of this profile loads, with its `group` and `file` (relative to rules/) added."""
    rules = []
    for path in rule_paths(profile):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            place = {"group": group["name"], "file": str(path.relative_to(RULES))}
            rules += [place | rule for rule in group["rules"]]
    return rules
