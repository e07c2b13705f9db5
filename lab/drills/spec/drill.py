"""A drill, read from its file. Ambiguous or unknown content is refused, never guessed.

id, title          the file's name, and one line for the catalogue (no spoiler: a person may read it while on call)
trigger            one of TRIGGERS        } what a diagnosis must name
component          one of COMPONENTS      }
severity           SEV1 … SEV4, none in the control
load               optional: a fault, or a list, in effect from before the steady state, e.g. a load-multiplier
fault              a fault and its parameters (lab/drills/faults), or a list of faults, injected in order
effect             optional: which SLO burns, and how (Effect)
expect             the alert that detects the fault, the others that must or may fire, and those that fire when nobody
                   mitigates (expectations.py); all others must stay silent
predict            optional: the detection model (detection.py); by default an SLO's burn rate
limits             how long each phase may take (Limits)
restored           optional: a PromQL condition that must hold at the end, where no SLO covers it (Restored)
runbook            optional `branch`: the title of the branch that must apply; a control has none
hints              the hints that a person may buy, in order
decoy              a plausible mistake: why it is one, its commands, and which alerts these may raise
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lab.drills.faults import Fault, Profile, read_fault
from lab.drills.runbook.command_line import arguments
from lab.drills.schema.parameters import between, nearest, one_of
from lab.drills.spec import expectations
from lab.drills.spec.detection import BurnRate, DetectionModel
from lab.drills.spec.detection import read as read_detection_model
from lab.drills.spec.expectations import MAY, Expect, Listed
from lab.errors import UsageError
from lab.paths import DRILLS
from lab.slo.specs.document import Node, read_document

# The triggers of the SRE Workbook's appendix C, finer where a drill needs it, and the control.
TRIGGERS = (
    "binary push", "config push", "operator", "capacity", "performance decay", "DB conflict", "complex system",
    "abuse", "user behaviour", "provider", "hardware", "exhaustion", "time", "processing pipeline", "monitoring",
    "network", "control",
)  # fmt: skip
COMPONENTS = (
    "clients", "gateway", "user", "feed", "feed-canary", "cache", "db", "network", "pipeline", "monitoring", "none",
)  # fmt: skip
SEVERITIES = ("SEV1", "SEV2", "SEV3", "SEV4", "none")
REQUIRED = ("id", "title", "trigger", "component", "severity", "fault", "expect", "limits", "decoy")
OPTIONAL = ("load", "effect", "predict", "restored", "runbook", "hints")
LIMITS = ("steady_seconds", "respond_seconds", "recover_seconds", "hold_seconds")


@dataclass(frozen=True)
class Effect:
    """The effect of the faults on the SLO at stake.

    Recovery is measured on every SLO of `services`. `profile` is (seconds, share of the SLO's events that are bad) for
    each step from the injection on; the last step stays. A bad event is counted `answered_after_seconds` after its
    request arrived, when it is answered.
    """

    slo: str
    services: tuple[str, ...]
    profile: Profile
    answered_after_seconds: float


@dataclass(frozen=True)
class Limits:
    """How long each phase may take. `detection_ratio` (1 to 1.6) multiplies a prediction whose inputs are random."""

    steady_seconds: float
    respond_seconds: float
    recover_seconds: float
    hold_seconds: float
    detection_ratio: float = 1.0


@dataclass(frozen=True)
class Restored:
    """A condition that must hold at the end: a query that returns a sample when it does, and the same in words."""

    query: str
    means: str


@dataclass(frozen=True)
class Decoy:
    """The commands of a plausible but mistaken responder, why they are a mistake, and the alerts they may raise."""

    why: str
    commands: tuple[str, ...]
    may: Listed = field(default_factory=dict)


@dataclass(frozen=True)
class Drill:
    """One deliberate incident."""

    id: str
    title: str
    trigger: str
    component: str
    severity: str
    load: tuple[Fault, ...]
    faults: tuple[Fault, ...]
    effect: Effect | None
    expect: Expect
    detection_model: DetectionModel | None
    limits: Limits
    restored: Restored | None
    branch: str | None
    hints: tuple[str, ...]
    decoy: Decoy
    file: Path

    @property
    def is_control(self) -> bool:
        """Whether this is the control: no fault, and nobody may be paged."""
        return self.expect.alert is None

    @property
    def fault_kind(self) -> str:
        """The kinds of its faults, in the order of their injection."""
        return " + ".join(fault.kind for fault in self.faults)

    @property
    def actors(self) -> frozenset[str]:
        """The actors of its own changes in the audit log."""
        return frozenset(fault.actor for fault in self.all_faults() if fault.actor)

    def all_faults(self) -> tuple[Fault, ...]:
        """The load, if any, then the faults."""
        return (*self.load, *self.faults)

    @property
    def services(self) -> tuple[str, ...]:
        """The services whose SLIs must recover; empty where no SLO is at stake."""
        return self.effect.services if self.effect else ()


def load(file: Path) -> Drill:
    """Read one drill file. Raises SpecError with the file, line and key of the first mistake."""
    root = read_document(file)
    keys = root.mapping(*REQUIRED, *OPTIONAL, required=REQUIRED)
    if keys["id"].text() != file.stem:
        raise keys["id"].refuse(f"{keys['id'].text()!r} does not match the file's name {file.name!r}")
    faults = _faults(keys["fault"])
    expect = expectations.read(keys["expect"])
    effect = _effect(keys["effect"], faults) if "effect" in keys else None
    if effect is not None and expect.alert is None:
        raise keys["effect"].refuse("a drill with an effect on an SLO expects an alert")
    return Drill(
        id=file.stem,
        title=keys["title"].text(),
        trigger=one_of(keys["trigger"], TRIGGERS),
        component=one_of(keys["component"], COMPONENTS),
        severity=one_of(keys["severity"], SEVERITIES),
        load=_faults(keys["load"]) if "load" in keys else (),
        faults=faults,
        effect=effect,
        expect=expect,
        detection_model=_detection_model(root, keys, expect, effect),
        limits=_limits(keys["limits"]),
        restored=_restored(keys.get("restored")),
        branch=_branch(keys.get("runbook")),
        hints=tuple(item.text() for item in keys["hints"].items()) if "hints" in keys else (),
        decoy=_decoy(keys["decoy"]),
        file=file,
    )


def catalogue(folder: Path = DRILLS) -> list[Drill]:
    """Every drill in order of its id, the control last. Raises SpecError."""
    files = sorted(folder.glob("*.yml"), key=lambda file: (not file.stem.startswith("INC"), file.stem))
    return [load(file) for file in files]


def find(drill_id: str, folder: Path = DRILLS) -> Drill:
    """The drill with that id. Raises UsageError, which lists the existing ids."""
    ids = [file.stem for file in sorted(folder.glob("*.yml"))]
    if drill_id not in ids:
        raise UsageError(
            f"no drill {drill_id!r}{nearest(drill_id, ids)}; the drills are {', '.join(_incidents_first(ids))}"
        )
    return load(folder / f"{drill_id}.yml")


def _incidents_first(ids: Iterable[str]) -> list[str]:
    return sorted(ids, key=lambda name: (not name.startswith("INC"), name))


def _faults(node: Node) -> tuple[Fault, ...]:
    return tuple(read_fault(item) for item in node.items()) if isinstance(node.value, list) else (read_fault(node),)


def _effect(node: Node, faults: tuple[Fault, ...]) -> Effect:
    keys = node.mapping(
        "slo", "services", "bad_ratio", "profile", "answered_after_seconds", required=("slo", "answered_after_seconds")
    )
    if ("bad_ratio" in keys) == ("profile" in keys):
        raise node.refuse("takes either bad_ratio (of the requests that the fault reaches) or profile")
    if "bad_ratio" in keys:
        bad_ratio = between(keys["bad_ratio"], 0, 1)
        profile = tuple((seconds, reached * bad_ratio) for seconds, reached in faults[0].profile())
    else:
        profile = tuple(_step(item) for item in keys["profile"].items())
    slo = keys["slo"].text()
    services = tuple(item.text() for item in keys["services"].items()) if "services" in keys else ()
    return Effect(slo, services or (slo.partition("-")[0],), profile, between(keys["answered_after_seconds"], 0, 10))


def _step(node: Node) -> tuple[float, float]:
    keys = node.mapping("for_seconds", "bad_ratio", required=("bad_ratio",))
    return (between(keys["for_seconds"], 0, 600) if "for_seconds" in keys else 0.0, between(keys["bad_ratio"], 0, 1))


def _detection_model(root: Node, keys: dict[str, Node], expect: Expect, effect: Effect | None) -> DetectionModel | None:
    if "predict" in keys:
        if expect.alert is None:
            raise keys["predict"].refuse("a control has no alert to predict")
        detection_model = read_detection_model(keys["predict"])
    elif expect.alert is None:
        return None
    else:
        detection_model = BurnRate()
    if isinstance(detection_model, BurnRate) and effect is None:
        raise root.refuse("a burn rate is predicted from the effect on an SLO; add effect, or another kind of predict")
    return detection_model


def _limits(node: Node) -> Limits:
    keys = node.mapping(*LIMITS, "detection_ratio", required=LIMITS)
    ratio = between(keys["detection_ratio"], 1, 1.6) if "detection_ratio" in keys else 1.0
    return Limits(**{name: between(keys[name], 1, 600) for name in LIMITS}, detection_ratio=ratio)


def _restored(node: Node | None) -> Restored | None:
    if node is None:
        return None
    keys = node.mapping("query", "means", required=("query", "means"))
    return Restored(keys["query"].text(), keys["means"].text())


def _branch(node: Node | None) -> str | None:
    return node.mapping("branch", required=("branch",))["branch"].text() if node else None


def _decoy(node: Node) -> Decoy:
    keys = node.mapping("why", "commands", *MAY, required=("why", "commands"))
    for command in keys["commands"].items():
        arguments(command.text(), command.file, command.line)
    commands = tuple(command.text() for command in keys["commands"].items())
    return Decoy(keys["why"].text(), commands, expectations.read_may(keys))
