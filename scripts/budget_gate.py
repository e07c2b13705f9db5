"""The error-budget gate for CI: may a service be changed now? Asks a Prometheus that has the generated rules.

    python -m scripts.budget_gate --prometheus URL --service feed --change rollout [--windows production]

Exit status 0: allowed, 1: refused, 2: nobody knows, or Prometheus does not answer, so a deployment waits. The reason is
printed. Policy, freezes, SLOs and windows are those of this checkout. Unlike `fleetops budget gate` it has no memory:
it knows no overrides, and a state is left as soon as the budget is above its bound.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

from lab.change import freeze, gate
from lab.change.gate import Decision
from lab.change.policy import CHANGES, read_policy
from lab.clients.prometheus import Prometheus
from lab.errors import LabError
from lab.slo.catalogue import PRODUCTION, PROFILES, load_windows, services
from lab.telemetry.settings import checked_url

TOKEN = "PROMETHEUS_TOKEN"  # noqa: S105 - the name of an environment variable


def decide(url: str, service: str, change: str, profile: str, now: float) -> Decision:
    """The decision at `now` (epoch seconds). Raises LabError when Prometheus, policy or calendar cannot be read."""
    prometheus = Prometheus(checked_url(url, "--prometheus"), os.environ.get(TOKEN), timeout_seconds=10.0)
    prometheus.instant("vector(1)")
    policy = read_policy()
    budgets = gate.read(prometheus, service, policy, load_windows(profile))
    frozen = freeze.in_force(freeze.read_freezes(), service, change, now)
    return gate.decide(policy, change, budgets, freeze=frozen)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the decision; its exit status."""
    parser = argparse.ArgumentParser(
        prog="budget_gate",
        description="Ask the error-budget policy whether a service may be changed now.",
        epilog=f"example: python -m scripts.budget_gate --prometheus http://127.0.0.1:9090 --service feed --change"
        f" rollout; a bearer token is read from {TOKEN}",
    )
    parser.add_argument("--prometheus", required=True, metavar="URL", help="Prometheus with the generated rules")
    parser.add_argument("--service", required=True, choices=services(), help="the service to be changed")
    parser.add_argument("--change", required=True, choices=CHANGES, help="the kind of change")
    parser.add_argument("--windows", choices=PROFILES, default=PRODUCTION, help="profile of the rules (production)")
    options = parser.parse_args(arguments)
    try:
        decision = decide(options.prometheus, options.service, options.change, options.windows, time.time())
    except LabError as error:
        sys.stderr.write(f"budget_gate: {error}\n")
        return 2
    sys.stdout.write(f"{decision.outcome}: {decision.reason}\n")
    return decision.exit_status


if __name__ == "__main__":
    sys.exit(main())
