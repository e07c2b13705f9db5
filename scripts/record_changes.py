"""Records the changes that the site shows as evidence, each in a lab of its own under default traffic.

    python -m scripts.record_changes [NAME …] [--healthy N] [--output FOLDER] [--port-base N]

A scenario ends with a record in FOLDER (docs/rollouts) and fails when the change did not end as it must. Without names,
all are recorded. `--healthy N` then rolls a healthy version out N times; no rollout may be aborted.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lab import names
from lab.errors import LabError
from lab.paths import DOCS
from lab.rollout import record
from scripts.separate_lab import Lab

FOLDER = DOCS / "rollouts"
STEADY_SECONDS = 60.0
OVER = ("promoted", "aborted")
BAD, HEALTHY = names.VERSION_CANARY, names.VERSION_NEXT


def bad_version(lab: Lab, file: Path) -> None:
    """The N+1 version through the gate: stopped at the first step."""
    roll_out(lab, BAD, file, 90, ends="aborted")


def healthy_version(lab: Lab, file: Path) -> None:
    """A healthy version: all clients."""
    roll_out(lab, HEALTHY, file, 240, ends="promoted")
    must(lab, "config", "rollback", "feed")


def no_traffic(lab: Lab, file: Path) -> None:
    """A healthy version without requests: held at the step's deadline, then aborted by a person."""
    must(lab, "service", "pause", "traffic")
    try:
        must(lab, "rollout", "start", "feed", "--to", HEALTHY, "--reason", "release at night")
        wait_for(lab, ("held",), 200)
        must(lab, "rollout", "abort", "--reason", "no traffic to judge it by; try again in the morning")
        wait_for(lab, ("aborted",), 30)
        must(lab, "rollout", "record", "--output", str(file))
    finally:
        must(lab, "service", "resume", "traffic")


def refused(lab: Lab, file: Path) -> None:
    """A rollout under an exhausted budget: refused, while a rollback is made, and an override ends by itself."""
    must(lab, "config", "push", "feed", "pool_max=6", "--reason", "a change to roll back")
    must(lab, "flag", "set", "feed", "off", "--reason", "the mistake that spends the budget")
    try:
        left = ("query", 'slo:period_error_budget_remaining:ratio{sloth_id="feed-availability"} < -0.05')
        must(lab, *left, "--wait", "180", seconds=200)
    finally:
        must(lab, "flag", "set", "feed", "on", "--reason", "the mistake undone")
    must(lab, "query", 'slo:sli_error:ratio_rate30s{sloth_id="feed-availability"} < 0.001', "--wait", "120")
    start = ("rollout", "start", "feed", "--to", HEALTHY)
    refusal = lab.run(*start)
    if refusal.returncode != 2 or "refuses a rollout" not in refusal.stderr:
        raise LabError(f"the rollout was not refused: {refusal.stdout}{refusal.stderr}")
    must(lab, "budget", "record", "--service", "feed", "--output", str(file))
    must(lab, "config", "rollback", "feed", "--reason", "a rollback needs no budget")
    override = ("budget", "override", "--service", "feed", "--change", "rollout", "--minutes", "0.5")
    must(lab, *override, "--reason", "the release restores the objective")
    must(lab, *start)
    must(lab, "rollout", "abort", "--reason", "shown that the override works")
    wait_for(lab, ("aborted",), 60)
    time.sleep(30)
    again = lab.run(*start)
    if again.returncode != 2 or "refuses a rollout" not in again.stderr:
        raise LabError(f"the override did not end: {again.stdout}{again.stderr}")
    if "(expired)" not in must(lab, "budget", "status"):
        raise LabError("`fleetops budget status` does not say that the override has expired")


def push_taken_back(lab: Lab, file: Path) -> None:
    """A configuration that passes its check and does harm: taken back from the one replica that had it."""
    push = ("config", "push", "feed", f"version={BAD}", "--reason", "a version as a setting", "--record", str(file))
    if (done := lab.run(*push)).returncode != 1 or "taken back" not in done.stdout:
        raise LabError(f"the push was not taken back: {done.stdout}{done.stderr}")


SCENARIOS: dict[str, Callable[[Lab, Path], None]] = {
    f"feed-{BAD}": bad_version,
    f"feed-{HEALTHY}": healthy_version,
    "feed-without-traffic": no_traffic,
    "feed-config-taken-back": push_taken_back,
    "feed-refused": refused,
}


def roll_out(lab: Lab, version: str, file: Path, seconds: float, *, ends: str) -> None:
    """Roll out a version of the feed and write the record. Raises LabError when it ends otherwise, or not at all."""
    must(lab, "rollout", "start", "feed", "--to", version, "--reason", f"release {version}")
    phase = wait_for(lab, OVER, seconds)
    must(lab, "rollout", "record", "--output", str(file))
    if phase != ends:
        raise LabError(f"the rollout of {version} was {phase}, not {ends}; see {file}")


def wait_for(lab: Lab, phases: Sequence[str], seconds: float) -> str:
    """Wait until the rollout is in one of the phases; returns it. Raises LabError after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        rollout = json.loads(must(lab, "rollout", "status", "--json"))
        if rollout["phase"] in phases:
            return str(rollout["phase"])
        if time.monotonic() > end:
            raise LabError(f"the rollout is {rollout['phase']} after {seconds:g} s: {rollout['reason']}")
        time.sleep(1)


def must(lab: Lab, *arguments: str, seconds: float = 300.0) -> str:
    """The output of a `fleetops` command. Raises LabError when it fails."""
    done = lab.run(*arguments, seconds=seconds)
    if done.returncode:
        raise LabError(f"fleetops {' '.join(arguments)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def steady(lab: Lab) -> None:
    """Wait until the gate knows the budgets, and the first requests, to cold caches, are out of the windows."""
    must(lab, "query", "min(slo:period_error_budget_remaining:ratio) > 0", "--wait", "60")
    time.sleep(STEADY_SECONDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Record the scenarios; the exit status is that of the first error."""
    parser = argparse.ArgumentParser(
        prog="record_changes",
        description="Record the changes that the site shows as evidence.",
        epilog="example: python -m scripts.record_changes feed-1.1.0",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to record (all): {', '.join(SCENARIOS)}")
    parser.add_argument("--healthy", type=int, default=0, help="healthy rollouts to record afterwards (0)")
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder of the records (docs/rollouts)")
    parser.add_argument("--port-base", type=int, default=8600, help="first port of the lab that is started (8600)")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in SCENARIOS]:
        parser.error(f"no scenario {unknown[0]!r}; choose from {', '.join(SCENARIOS)}")
    chosen = options.names or ([] if options.healthy else list(SCENARIOS))
    try:
        for name in chosen:
            record_one(SCENARIOS[name], options.output / f"{name}.json", options.port_base)
        if options.healthy:
            record_healthy(options.healthy, options.output / "healthy", options.port_base)
    except LabError as error:
        sys.stderr.write(f"record_changes: {error}\n")
        return error.exit_status
    return 0


def record_one(scenario: Callable[[Lab, Path], None], file: Path, port_base: int) -> None:
    """Run one scenario in a lab of its own, and verify its record."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fleetops-changes-") as folder:
        lab = Lab(Path(folder), port_base)
        made = Path(folder) / "record.json"
        with lab.up():
            steady(lab)
            scenario(lab, made)
        _keep(made, file)


def record_healthy(number: int, folder: Path, port_base: int) -> None:
    """Roll the healthy version out `number` times in one lab. Raises LabError when one is aborted."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fleetops-changes-") as state:
        lab = Lab(Path(state), port_base)
        with lab.up():
            steady(lab)
            for index in range(1, number + 1):
                made = Path(state) / "record.json"
                healthy_version(lab, made)
                must(lab, "query", 'absent(ALERTS{alertstate="firing", severity="page"})', "--wait", "300")
                _keep(made, folder / f"{index:02d}.json")


def _keep(made: Path, file: Path) -> None:
    """Put a record that verifies in its place, which keeps the old one otherwise."""
    found = record.load(made)
    if problems := list(record.verify(found)):
        raise LabError(f"{made}: {problems[0]}")
    record.write(found, file)
    sys.stdout.write(f"{file}: {found.id} recorded\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
