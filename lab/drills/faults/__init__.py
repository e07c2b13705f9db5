"""Faults: real mechanisms, each reversible, each with typed parameters.

To write one, make a room beside the others with a frozen dataclass and add it to FAULTS below:

    @dataclass(frozen=True)
    class LinkLatency(Fault):
        '''A line between two tiers gets longer.'''                    shown by `fleetops drill faults`

        kind: ClassVar[str] = "link-latency"                           what a drill file calls it
        link: str = choice(link_names, "Which line.")                  a parameter: its type, its range, its help
        extra_delay_seconds: float = number(0.001, 5, "Added to each round trip.")

        def found(self, context):  -> dict     JSON: what `undo` must put back. Journalled before anything is touched.
        def inject(self, context): -> None     Break it; return when the fault is there.
        def undo(self, context, found): list   Put `found` back; one line for each thing changed. See below.

`context` (context.py) reaches everything a fault may touch: the lab's clients (the gateway's admin API and others),
processes, links, the load generator, the cache, the DB, the state directory; `context.child` runs a helper process that
ends with the fault. What a class leaves out does nothing: with nothing to put back, it has no `found` and no `undo`.

What `undo` must stand:
  * being called in another process: the runner may have been killed, so it knows only the parameters and `found`;
  * a fault that is half there, that a responder has mended already, or that was undone before: it looks, then acts;
  * a part that does not answer: it raises LabError, and the journal stays for the next try.
`undo_at_rest` is called before a start of the lab, with no process running: for files that would keep it from starting.
A fault that changes things under a name of its own in the audit log says so in `actor`; what that name did is part of
the fault, never a responder's action. `profile` says which share of the requests is reached when (prediction.py).

Who undoes, and when: the runner at the end of the drill; the guard (drills/guard.py), a process of its own, as soon as
the runner is gone or the drill has outlived its expiry; else the next `fleetops drill run`, `up`, `doctor` or
`drill undo`. Besides, the journal puts back everything a control verb can change (drills/snapshot.py).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

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
    """The fault a mapping with `kind` describes; SpecError names what it does not know, and what is nearest."""
    if not isinstance(node.value, dict) or not isinstance(kind := node.value.get("kind"), Node):
        raise node.refuse("must be a mapping with the fault's kind")
    if kind.text() not in FAULTS:
        raise kind.refuse(f"no fault {kind.text()!r}{nearest(kind.text(), FAULTS)}; there are {', '.join(FAULTS)}")
    return read(FAULTS[kind.text()], node, "kind")


def as_json(fault: Fault) -> dict[str, Any]:
    """Kind and parameters, as the journal keeps them and `read_fault` takes them."""
    return {"kind": fault.kind, **asdict(fault)}


def of_json(value: dict[str, Any], where: str) -> Fault:
    """The fault that `as_json` gave; `where` names the file in a refusal."""
    return read_fault(from_json(value, where))


__all__ = ["FAULTS", "Fault", "FaultContext", "Profile", "Report", "as_json", "of_json", "read_fault"]
