"""Asks the gate in a running lab: reads the budgets, remembers each service's state, and applies overrides."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from lab import names
from lab.atomic_write import write_json
from lab.change import freeze, gate
from lab.change.gate import Budget, Decision
from lab.change.policy import CHANGES, REFUSABLE, Policy, read_policy
from lab.change.risk import REFUSAL
from lab.clients import documents
from lab.clients.documents import Document, as_builtins
from lab.clients.times import epoch_seconds, utc_text
from lab.control.lab_clients import LabClients
from lab.errors import UsageError
from lab.file_lock import held
from lab.paths import Home
from lab.slo.catalogue import LAB, load_windows, services

SHOWN_OVERRIDES = 3


class Override(Document, frozen=True, kw_only=True):
    """Somebody's decision to let a kind of change of a service pass until an instant. Timestamps are UTC."""

    service: str
    change: str
    by: str
    reason: str
    at: str
    until: str

    def stated(self, now: float) -> str:
        """The override in words, at `now` (epoch seconds)."""
        expired = " (expired)" if now >= epoch_seconds(self.until) else ""
        return f"{self.change} by {self.by} until {self.until}{expired}: {self.reason}"

    def applies(self, service: str, change: str, now: float) -> bool:
        """Whether it covers such a change at `now` (epoch seconds)."""
        return (self.service, self.change) == (service, change) and now < epoch_seconds(self.until)


class Memory(Document, frozen=True, kw_only=True):
    """What the gate remembers: each service's state, for the hysteresis, and every override, expired ones too."""

    states: dict[str, str] = msgspec.field(default_factory=dict)
    overrides: list[Override] = msgspec.field(default_factory=list)


def shown_overrides(memory: Memory, service: str, now: float) -> list[str]:
    """The last overrides of a service in words, expired ones too."""
    made = [override for override in memory.overrides if override.service == service]
    return [override.stated(now) for override in made[-SHOWN_OVERRIDES:]]


def memory_file(home: Home) -> Path:
    """Where the gate's memory lies."""
    return home.data / "error-budget.json"


def load(home: Home) -> Memory:
    """The gate's memory; empty before its first use. Raises LabError for a damaged file."""
    return documents.load(memory_file(home), Memory, "move it away: only states and overrides are lost") or Memory()


@contextmanager
def _changing(home: Home) -> Iterator[Memory]:
    """The memory, which nobody else changes for the length of the body."""
    with held(home.run / "error-budget.lock"):
        yield load(home)


def ask(clients: LabClients, service: str, change: str) -> Decision:
    """The gate's decision on a change of kind `change` to `service` now. Raises UsageError for unknown ones."""
    return with_budgets(clients, service, change)[0]


def with_budgets(clients: LabClients, service: str, change: str) -> tuple[Decision, list[Budget]]:
    """The gate's decision, and the budgets of the service's SLOs that it follows from. Raises UsageError as `ask`."""
    _check(service, change)
    policy = read_policy()
    memory, now = load(clients.home), time.time()
    budgets = gate.read(clients.prometheus, service, policy, load_windows(LAB))
    decision = decided(policy, memory, budgets, service, change, now)
    if decision.state not in ("unknown", memory.states.get(service)):
        with _changing(clients.home) as memory:
            states = {**memory.states, service: decision.state}
            write_json(memory_file(clients.home), as_builtins(msgspec.structs.replace(memory, states=states)))
    return decision, budgets


def decided(policy: Policy, memory: Memory, budgets: list[Budget], service: str, change: str, now: float) -> Decision:
    """The decision on a change at `now` (epoch seconds) with these budgets, by overrides and freezes in force, too."""
    active = [override for override in memory.overrides if override.applies(service, change, now)]
    text = f"override by {active[-1].by} until {active[-1].until}: {active[-1].reason}" if active else ""
    frozen = freeze.in_force(freeze.read_freezes(), service, change, now)
    return gate.decide(policy, change, budgets, memory.states.get(service, ""), text, frozen)


def require(clients: LabClients, service: str, change: str) -> Decision:
    """The decision, if it allows the change.

    Raises UsageError with the reason and the way around it otherwise; the audit log then says what was refused.
    """
    decision = ask(clients, service, change)
    if decision.outcome == "allow":
        return decision
    with clients.trail.action(REFUSAL, service, new=change):
        raise UsageError(
            f"the policy refuses a {gate.WORDS[change]} of {service}: {decision.reason}; `fleetops budget override"
            f" --service {service} --change {change} --minutes N --reason …` takes the risk"
        )


def affected(service: str) -> list[str]:
    """The services whose budgets a change of `service` may spend: of the gateway all, of a canary its stable one."""
    owner = next((stable for stable, canary in names.CANARY_OF.items() if canary == service), service)
    return [owner] if owner in services() else services()


def override(clients: LabClients, service: str, change: str, minutes: float, reason: str) -> Override:
    """Let changes of one kind to `service` pass for some minutes, on the audit log's record.

    Raises UsageError without a reason, for a change that is never refused, and for longer than the policy allows.
    """
    _check(service, change)
    policy = read_policy()
    if change not in REFUSABLE:
        raise UsageError(f"a {gate.WORDS[change]} always passes; there is nothing to override")
    if not reason.strip():
        raise UsageError("an override needs a reason: --reason TEXT")
    if not 0 < minutes <= policy.override_minutes:
        raise UsageError(f"{minutes:g} minutes must be above 0 and at most {policy.override_minutes:g}")
    now = time.time()
    made = Override(
        service=service, change=change, by=clients.trail.actor, reason=reason.strip(), at=utc_text(now),
        until=utc_text(now + minutes * 60),
    )  # fmt: skip
    audited = {"change": change, "until": made.until}
    with (
        clients.trail.action("budget override", service, new=audited, reason=reason),
        _changing(clients.home) as memory,
    ):
        overrides = [*memory.overrides, made]
        write_json(memory_file(clients.home), as_builtins(msgspec.structs.replace(memory, overrides=overrides)))
    return made


def require_service(service: str) -> None:
    """Raises UsageError for a service without an error budget."""
    if service not in services():
        raise UsageError(f"{service!r} has no SLO; the services are {', '.join(services())}")


def _check(service: str, change: str) -> None:
    require_service(service)
    if change not in CHANGES:
        raise UsageError(f"{change!r} is not a kind of change; choose from {', '.join(CHANGES)}")
