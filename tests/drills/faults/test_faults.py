"""Faults as data: every parameter is typed, and unknown names are refused with the nearest known one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.drills.faults import FAULTS, as_json, of_json, read_fault
from lab.drills.faults.canary import CanaryRamp
from lab.errors import SpecError
from lab.slo.specs.document import read_documents

# One valid use of each.
EXAMPLES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "canary-ramp": {"steps": [{"weight_percent": 5, "hold_seconds": 1}, {"weight_percent": 50}]},
    "process-signal": {"process": "feed", "signal": "STOP"},
    "link-latency": {"link": "link-db", "extra_delay_seconds": 0.3},
    "load-multiplier": {"multiplier": 5},
    "abusive-client": {"client_id": "client-007", "requests_per_second": 100},
    "cache-flush": {"times": 0, "every_seconds": 6},
    "sql-statements": {"apply": ["SELECT 1"], "revert": ["SELECT 2"]},
    "open-transactions": {"sessions": 2, "statements": ["SELECT 1"]},
    "scrape-targets-lost": {"job": "feed"},
    "network-detour": {"replica": "feed-1", "extra_delay_seconds": 0.6},
    "link-stall": {"link": "link-db", "extra_delay_seconds": 3, "lasts_seconds": 8},
    "flash-crowd": {"people": 6000, "requests_per_second": 160},
    "control-change": {"commands": ["fleetops ratelimit set --client-per-second 500"]},
    "config-push": {"service": "feed", "settings": ["pool_max=twelve"], "checked": False, "at_once": True},
    "fan-out-release": {"version": "1.1.0"},
    "log-level": {"service": "gateway", "level": "debug"},
    "short-certificate": {"server": "link-db", "lifetime_seconds": 45},
}


def refused(tmp_path: Path, text: str) -> str:
    file = tmp_path / "fault.yml"
    file.write_text(text)
    with pytest.raises(SpecError) as refusal:
        read_fault(next(iter(read_documents(file))))
    assert refusal.value.line is not None
    return str(refusal.value)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_survives_the_round_trip_through_the_journal(kind: str) -> None:
    fault = of_json({"kind": kind, **EXAMPLES[kind]}, "example")
    assert of_json(json.loads(json.dumps(as_json(fault))), "journal") == fault


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_refuses_an_unknown_parameter(kind: str) -> None:
    with pytest.raises(SpecError, match=r"gremlin: unknown key"):
        of_json({"kind": kind, **EXAMPLES[kind], "gremlin": 1}, "example")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("kind: proces-signal", r"no fault 'proces-signal' (did you mean 'process-signal'?)"),
        ("kind: process-signal\nproces: feed\nsignal: STOP", "proces: unknown key (did you mean 'process'?)"),
        ("kind: process-signal\nprocess: fead\nsignal: STOP", "(did you mean 'feed'?)"),
        ("kind: process-signal\nprocess: feed\nsignal: STPO", "(did you mean 'STOP'?)"),
        ("kind: process-signal\nprocess: feed\nsignal: STOP\nstays_down: true", "cannot stay down"),
        ("kind: process-signal\nprocess: feed", "signal is missing"),
        ("kind: link-latency\nlink: link-bd\nextra_delay_seconds: 1", "(did you mean 'link-db'?)"),
        ("kind: link-latency\nlink: link-db\nextra_delay_seconds: 6", "6 must be from 0.001 to 5"),
        ("kind: open-transactions\nsessions: 1.5\nstatements: [SELECT 1]", "1.5 must be a whole number"),
        ("kind: control-change\ncommands: [rm -rf /]", "not a fleetops command"),
        ("kind: nothing\nkeys: all", "it takes no parameters"),
        ("kind: config-push\nservice: feed\nsettings: [pool_max]", "'pool_max' is not KEY=VALUE"),
        ("kind: short-certificate\nserver: link-bd\nlifetime_seconds: 45", "(did you mean 'link-db'?)"),
        ("- kind: nothing", "must be a mapping"),
    ],
)
def test_a_mistake_is_refused_with_its_key_and_the_nearest_name(tmp_path: Path, text: str, named: str) -> None:
    assert named in refused(tmp_path, text)


def test_the_profile_of_a_canary_ramp_has_the_share_of_each_step() -> None:
    ramp = of_json({"kind": "canary-ramp", **EXAMPLES["canary-ramp"]}, "example")
    assert isinstance(ramp, CanaryRamp)
    assert ramp.profile() == ((1.0, 0.05), (0.0, 0.5))
