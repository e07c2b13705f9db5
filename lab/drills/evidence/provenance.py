"""The inputs of a record by content hash. When one of them changes, the record is stale."""

from __future__ import annotations

from pathlib import Path

from lab.drills.run.incident import Incident
from lab.drills.runbook.content_hash import content_hash
from lab.drills.runbook.parser import Section, sections
from lab.drills.schema.record import Record
from lab.drills.spec import alerts
from lab.drills.spec.drill import Drill
from lab.paths import ROOT, RUNBOOKS
from lab.slo.catalogue import LAB, committed


def hashes(incident: Incident) -> dict[str, str]:
    """The inputs of an incident's drill, as `of_drill` returns them."""
    return of_drill(incident.drill)


def of_drill(drill: Drill) -> dict[str, str]:
    """The inputs of a drill: `path` or `path#anchor` (relative to the checkout) to `sha256:…`.

    They are the drill file; the spec, windows and rules of the SLO at stake (of all SLOs in a control), or the rule of
    a platform alert; and the runbook section.
    """
    files, slos = [drill.file], committed()
    if drill.effect is not None:
        spec = slos.spec_file(drill.effect.slo)
        files += [slos.windows_file(LAB), spec, slos.generated_file(LAB, spec)]
    elif drill.is_control:
        specs = slos.spec_files
        files += [slos.windows_file(LAB), *specs, *(slos.generated_file(LAB, file) for file in specs)]
    inputs = {_relative(file): content_hash(file.read_bytes()) for file in files}
    name, severity = drill.expect.alert, drill.expect.severity
    if name is not None:
        alert = alerts.find(name, severity)
        if alert is not None and not alert.sloth_id and (digest := _current(alert.file, name)):
            inputs[f"{_relative(alert.file)}#{name}"] = digest
        if section := _section(name.lower()):
            inputs[f"{_relative(RUNBOOKS)}#{section.anchor}"] = section.sha256
    return dict(sorted(inputs.items()))


def stale(record: Record) -> list[str]:
    """The names of a record's inputs whose content has changed since the recording."""
    changed = []
    for name, digest in record.inputs.items():
        path, _, anchor = name.partition("#")
        if _current(ROOT / path, anchor) != digest:
            changed.append(name)
    return changed


def _current(file: Path, anchor: str) -> str | None:
    if not file.exists():
        return None
    if not anchor:
        return content_hash(file.read_bytes())
    if file.suffix == ".yml":
        return alerts.rule_sha256(file, anchor)
    if file.suffix != ".md":
        return None
    section = _section(anchor, file)
    return section.sha256 if section else None


def _section(anchor: str, file: Path = RUNBOOKS) -> Section | None:
    return next((section for section in sections(file) if section.anchor == anchor), None)


def _relative(file: Path) -> str:
    return file.resolve().relative_to(ROOT).as_posix()
