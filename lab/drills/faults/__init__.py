"""Faults: real mechanisms, each reversible, each with typed parameters.

To write one, add a module beside the others with a frozen dataclass, and add that to FAULTS below:

    @dataclass(frozen=True)
    class LinkLatency(Fault):
        '''The network between two tiers gets slower.'''               shown by `fleetops drill faults`

        kind: ClassVar[str] = "link-latency"                           its name in a drill file
        link: str = choice(link_names, "Which link.")                  a parameter: its type, its range, its help
        extra_delay_seconds: float = number(0.001, 5, "Added to each round trip.")

        def capture(self, context): -> dict      JSON that `undo` needs; journalled before the fault changes anything.
        def inject(self, context): -> None       Inject the fault; return once it is in effect.
        def undo(self, context, captured): list  Restore what was captured; one line per change. See below.

`context` (context.py) gives access to everything that a fault may change: the lab's clients (the gateway's admin API
and others), processes, links, the load generator, the cache, the database, the state directory; `context.start_helper`
runs a helper process that ends with the fault. A class overrides only what it needs: with nothing to restore it has no
`capture` and no `undo`.

`undo` must work
  * in another process: the runner may have been killed, so it has only the parameters and what was captured;
  * on a fault that is half injected, already fixed by a responder, or undone before: it checks, then acts;
  * when a part does not answer: it raises LabError, and the journal stays for the next attempt.
`undo_at_rest` runs before a start of the lab, with no process running: for files that would keep it from starting.
A fault whose changes are in the audit log names their actor in `actor`; changes by that actor are part of the fault,
never a responder's action. `profile` is the share of requests reached over time (lab/drills/spec/prediction.py).

Who undoes it, and when: the runner at the end of the drill; the watchdog (lab/drills/undo/watchdog.py), a separate
process, as soon as the runner is gone or the drill has expired; else the next `fleetops drill run`, `up`, `doctor` or
`drill undo`. The journal also restores everything that a control verb can change (lab/drills/undo/snapshot.py).
"""

from __future__ import annotations

from dataclasses import asdict

from lab.drills.faults.base import Fault, Profile
from lab.drills.faults.cache import CacheFlush
from lab.drills.faults.canary import CanaryRamp
from lab.drills.faults.certificate import ShortCertificate
from lab.drills.faults.commands import ControlChange
from lab.drills.faults.config import ConfigPush
from lab.drills.faults.context import FaultContext, Report
from lab.drills.faults.fanout import FanOutRelease
from lab.drills.faults.link import LinkLatency, LinkStall
from lab.drills.faults.load import AbusiveClient, FlashCrowd, LoadMultiplier
from lab.drills.faults.loglevel import LogLevel
from lab.drills.faults.network_delay import NetworkDetour
from lab.drills.faults.nothing import Nothing
from lab.drills.faults.process import ProcessSignal
from lab.drills.faults.scrape import ScrapeTargetsLost
from lab.drills.faults.sql import OpenTransactions, SqlStatements
from lab.drills.schema.journal import FaultJson
from lab.drills.schema.parameters import from_json, nearest, read
from lab.slo.specs.document import Node

FAULTS: dict[str, type[Fault]] = {
    fault.kind: fault
    for fault in (
        Nothing,
        CanaryRamp,
        ProcessSignal,
        LinkLatency,
        LoadMultiplier,
        AbusiveClient,
        CacheFlush,
        SqlStatements,
        OpenTransactions,
        ScrapeTargetsLost,
        LinkStall,
        FlashCrowd,
        NetworkDetour,
        ControlChange,
        ConfigPush,
        FanOutRelease,
        LogLevel,
        ShortCertificate,
    )
}


def read_fault(node: Node) -> Fault:
    """The fault that a mapping with `kind` describes. Raises SpecError, with the nearest known name."""
    if not isinstance(node.value, dict) or not isinstance(kind := node.value.get("kind"), Node):
        raise node.refuse("must be a mapping with the fault's kind")
    if kind.text() not in FAULTS:
        raise kind.refuse(f"no fault {kind.text()!r}{nearest(kind.text(), FAULTS)}; must be one of {', '.join(FAULTS)}")
    return read(FAULTS[kind.text()], node, "kind")


def as_json(fault: Fault) -> FaultJson:
    """Kind and parameters, as the journal stores them and `read_fault` reads them."""
    return {"kind": fault.kind, **asdict(fault)}


def of_json(value: FaultJson, where: str) -> Fault:
    """The inverse of `as_json`. Raises SpecError; `where` names the file in it."""
    return read_fault(from_json(value, where))


__all__ = ["FAULTS", "Fault", "FaultContext", "Profile", "Report", "as_json", "of_json", "read_fault"]
