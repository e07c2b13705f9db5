"""Risk classes: which audited actions are changes, how risky each is, and the command that takes it back. Data only."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, Literal, get_args

from lab.change.policy import CONFIG, ROLLOUT
from lab.clients.documents import AuditRow
from lab.control.audit import stated

Risk = Literal["standard", "normal", "emergency"]
RISKS: tuple[Risk, ...] = get_args(Risk)
STANDARD, NORMAL, EMERGENCY = RISKS
MEANS: dict[Risk, str] = {
    "standard": "Approved in advance: an automatic check decides at each step, and takes the change back.",
    "normal": "Made by hand: whoever makes it has judged the risk and knows the way back.",
    "emergency": "Cannot wait: made while a page is open, or although the error-budget policy refuses it.",
}


@dataclass(frozen=True)
class Kind:
    """One audited action that is a change.

    `back` is the command that takes it back, "" when no setting changes. In it TARGET and OLD stand for those of the
    audit row, OPTIONS and PAIR for its old settings as `--name value` and `name value`. `gate` is the kind of change
    that the error-budget policy knows it by, "" for none. A change that `continues` raises the same setting further.
    A `harmless` one leaves the answers to requests as they are.
    """

    risk: Risk
    back: str = ""
    gate: str = ""
    continues: bool = False
    harmless: bool = False


CONFIG_PUSH, ROLLOUT_START, ROLLOUT_END, OVERRIDE = "config push", "rollout start", "rollout end", "budget override"
REFUSAL = "budget gate"  # a change that the policy refused
# A key of the new value of a configuration push that went out in stages, each checked before the next.
STAGED = "stages"
# How the reason of a push begins that did not ask the error-budget policy.
EMERGENCY_REASON = "emergency: "

KINDS: dict[str, Kind] = {
    ROLLOUT_START: Kind("standard", "fleetops rollout abort", ROLLOUT),
    CONFIG_PUSH: Kind("normal", "fleetops config rollback TARGET", CONFIG),
    "canary weight": Kind("normal", "fleetops canary weight OLD", ROLLOUT, continues=True),
    "flag set": Kind("normal", "fleetops flag set TARGET OLD"),
    "scale": Kind("normal", "fleetops scale TARGET OLD"),
    "traffic rate": Kind("normal", "fleetops traffic rate OLD"),
    "ratelimit set": Kind("normal", "fleetops ratelimit set OPTIONS"),
    "shed set": Kind("normal", "fleetops shed set OPTIONS"),
    "retry set": Kind("normal", "fleetops retry set OPTIONS"),
    "timeouts set": Kind("normal", "fleetops timeout set PAIR"),
    "breakers set": Kind("normal", "fleetops breaker set PAIR"),
    "cache set": Kind("normal", "fleetops cache ttl OLD"),
    "cache allow": Kind("normal", "fleetops cache deny TARGET"),
    "cache deny": Kind("normal", "fleetops cache allow TARGET"),
    "cache warm": Kind("normal"),
    "feed reconcile": Kind("normal"),
    "db cancel": Kind("normal"),
    "db index create": Kind("normal"),
    "cert rotate": Kind("normal", "fleetops cert rotate TARGET"),
    "log level": Kind("normal", "fleetops log level TARGET OLD", harmless=True),
    "log rotate": Kind("normal", harmless=True),
    "service drain": Kind("normal", "fleetops service undrain TARGET"),
    "service pause": Kind("normal", "fleetops service resume TARGET"),
    "service restart": Kind("normal"),
    "service reload": Kind("normal", harmless=True),
}
# Actions that only take back another one.
TAKES_BACK = {
    "config rollback": CONFIG_PUSH,
    "service undrain": "service drain",
    "service resume": "service pause",
}
# Audited, but no changes: they belong to a rollout, permit or refuse a change, or answer a drill.
NO_CHANGE = frozenset(
    {
        "rollout hold", "rollout resume", "rollout abort", ROLLOUT_END, OVERRIDE, REFUSAL,
        "incident diagnose", "incident hint",
    }
)  # fmt: skip


def alters(row: AuditRow) -> bool:
    """Whether the action altered something that may affect the service: a change, or what took one back."""
    return row.outcome == "done" and (row.action in KINDS or row.action in TAKES_BACK)


def may_harm(row: AuditRow) -> bool:
    """Whether the action, done or failed, may have made requests bad."""
    return row.action in TAKES_BACK or (row.action in KINDS and not KINDS[row.action].harmless)


def take_back(row: AuditRow) -> str:
    """The command that takes a change back; "" when there is none, or its old value is not known."""
    kind = KINDS[row.action]
    old = row.old if isinstance(row.old, dict) else {"": row.old}
    words = {
        "TARGET": row.target,
        "OLD": next((_word(value) for value in old.values()), ""),
        "OPTIONS": " ".join(f"--{name.replace('_', '-')} {_word(value)}" for name, value in old.items()),
        "PAIR": " ".join(f"{name} {_word(value)}" for name, value in old.items()),
    }
    if row.old is None and any(place in kind.back for place in ("OLD", "OPTIONS", "PAIR")):
        return ""
    command = kind.back
    for place, word in words.items():
        command = command.replace(place, word)
    return command


def _word(value: Any) -> str:
    """A value as a word of a command."""
    return shlex.quote(",".join(map(str, value)) if isinstance(value, list) else stated(value))
