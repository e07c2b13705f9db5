"""A drill, read from its file. What the file does not say clearly is refused, never guessed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.drills.faults import FAULTS, Fault, between
from lab.drills.runbook import arguments
from lab.errors import UsageError
from lab.places import DRILLS
from lab.slo.document import Node, read_documents

# The triggers of the SRE Workbook's appendix C, and the control.
TRIGGERS = (
    "binary push", "config push", "operator", "capacity", "performance decay", "DB conflict", "complex system",
    "abuse", "user behaviour", "provider", "hardware", "exhaustion", "time", "processing pipeline", "monitoring",
    "network", "control",
)  # fmt: skip
SEVERITIES = ("SEV1", "SEV2", "SEV3", "SEV4", "none")
KEYS = ("id", "title", "trigger", "severity", "fault", "expect", "limits", "wrong")
LIMITS = ("steady_seconds", "respond_seconds", "recover_seconds", "hold_seconds")


@dataclass(frozen=True)
class Effect:
    """What the fault does to which SLO: the share of the requests it reaches that turn bad, and how late."""

    slo: str
    bad_ratio: float
    answered_after_seconds: float


@dataclass(frozen=True)
class Expect:
    """The alert that must page (None in a control) and the alerts that must not."""

    page: str | None
    silent: tuple[str, ...]


@dataclass(frozen=True)
class Limits:
    """How long each phase may take."""

    steady_seconds: float
    respond_seconds: float
    recover_seconds: float
    hold_seconds: float


@dataclass(frozen=True)
class Wrong:
    """What a plausible but mistaken responder does, and why it is mistaken."""

    why: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Drill:
    """One incident on purpose."""

    id: str
    title: str
    trigger: str
    severity: str
    fault_kind: str
    fault: Fault
    effect: Effect | None
    expect: Expect
    limits: Limits
    wrong: Wrong
    file: Path


def load(file: Path) -> Drill:
    """Read one drill file; SpecError names the file, the line and the key that is wrong."""
    documents = list(read_documents(file))
    if len(documents) > 1:
        raise documents[1].refuse("one drill a file")
    (root,) = documents
    keys = root.mapping(*KEYS, "effect", required=KEYS)
    if keys["id"].text() != file.stem:
        raise keys["id"].refuse(f"{keys['id'].text()!r} does not match the file's name {file.name!r}")
    kind = one_of(_fault_kind(keys["fault"]), tuple(FAULTS))
    effect = _effect(keys["effect"]) if "effect" in keys else None
    expect = _expect(keys["expect"])
    if (effect is None) != (expect.page is None):
        raise root.refuse(
            "a drill that expects a page says its effect on an SLO, and one that expects none has no effect"
        )
    return Drill(
        id=file.stem,
        title=keys["title"].text(),
        trigger=one_of(keys["trigger"], TRIGGERS),
        severity=one_of(keys["severity"], SEVERITIES),
        fault_kind=kind,
        fault=FAULTS[kind](keys["fault"]),
        effect=effect,
        expect=expect,
        limits=_limits(keys["limits"]),
        wrong=_wrong(keys["wrong"]),
        file=file,
    )


def catalogue(folder: Path = DRILLS) -> list[Drill]:
    """Every drill, the control last."""
    files = sorted(folder.glob("*.yml"), key=lambda file: (not file.stem.startswith("INC"), file.stem))
    return [load(file) for file in files]


def find(drill_id: str, folder: Path = DRILLS) -> Drill:
    """The drill with that id; UsageError lists the ids there are."""
    ids = [file.stem for file in sorted(folder.glob("*.yml"))]
    if drill_id not in ids:
        raise UsageError(f"no drill {drill_id!r}; the drills are {', '.join(_incidents_first(ids))}")
    return load(folder / f"{drill_id}.yml")


def _incidents_first(ids: Iterable[str]) -> list[str]:
    return sorted(ids, key=lambda name: (not name.startswith("INC"), name))


def one_of(node: Node, choices: tuple[str, ...]) -> str:
    """A text that is one of `choices`."""
    text = node.text()
    if text not in choices:
        raise node.refuse(f"{text!r} is none of {', '.join(choices)}")
    return text


def _fault_kind(node: Node) -> Node:
    # The kind decides which other keys there may be, so it is read before the rest is checked.
    if not isinstance(node.value, dict) or "kind" not in node.value:
        raise node.refuse("must be a mapping with the fault's kind")
    kind = node.value["kind"]
    if not isinstance(kind, Node):
        raise node.refuse("must be a mapping with the fault's kind")
    return kind


def _effect(node: Node) -> Effect:
    names = ("slo", "bad_ratio", "answered_after_seconds")
    keys = node.mapping(*names, required=names)
    return Effect(keys["slo"].text(), between(keys["bad_ratio"], 0, 1), between(keys["answered_after_seconds"], 0, 10))


def _expect(node: Node) -> Expect:
    keys = node.mapping("page", "silent", required=("silent",))
    page = keys["page"].text() if "page" in keys else None
    silent = tuple(item.text() for item in keys["silent"].items())
    if page in silent:
        raise keys["silent"].refuse(f"{page} cannot both page and stay silent")
    return Expect(page, silent)


def _limits(node: Node) -> Limits:
    keys = node.mapping(*LIMITS, required=LIMITS)
    return Limits(**{name: between(keys[name], 1, 600) for name in LIMITS})


def _wrong(node: Node) -> Wrong:
    keys = node.mapping("why", "commands", required=("why", "commands"))
    for command in keys["commands"].items():
        arguments(command.text(), command.file, command.line)
    return Wrong(keys["why"].text(), tuple(command.text() for command in keys["commands"].items()))
