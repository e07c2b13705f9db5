"""Reads Prometheus rule files: the one reader that pages, drills and tests use."""

from __future__ import annotations

from pathlib import Path

import msgspec
import yaml

from lab.errors import LabError
from lab.slo.specs.document import LOADER


class LoadedRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A rule of a file: a recording rule has `record`, an alerting rule `alert`. Durations are strings like 5m."""

    expr: str
    record: str = ""
    alert: str = ""
    hold: str = msgspec.field(name="for", default="")
    keep_firing: str = msgspec.field(name="keep_firing_for", default="")
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}

    @property
    def name(self) -> str:
        """The alert's name, or that of the recorded series."""
        return self.alert or self.record


class LoadedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """One group of a rule file."""

    name: str
    rules: list[LoadedRule]
    interval: str = ""


class _File(msgspec.Struct, frozen=True, kw_only=True):
    groups: list[LoadedGroup]


def read_groups(file: Path) -> list[LoadedGroup]:
    """The groups of a rule file, in order. Raises LabError that names the file, and the invalid key if there is one."""
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=LOADER)  # noqa: S506 - a safe loader
        return msgspec.convert(content, _File).groups
    except OSError as error:
        raise LabError(f"cannot read {file}: {error.strerror}") from error
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise LabError(f"{file} is not a rule file: {' '.join(str(error).split())}") from error
