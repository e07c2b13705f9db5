"""The error-budget policy: states with hysteresis, decisions, overrides, and what is refused in its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from fakes import FakePager
from hypothesis import given
from hypothesis import strategies as st

from lab.change import ask, gate
from lab.change.gate import Budget, decide
from lab.change.policy import CHANGES, FILE, Policy, read_policy
from lab.control.lab_clients import LabClients
from lab.errors import SpecError, UsageError

TEXT = FILE.read_text(encoding="utf-8")
POLICY = read_policy()


def budget(remaining: float | None, burn: float = 0.0) -> Budget:
    return Budget("feed-availability", remaining, burn, 6.0, 43200.0)


@pytest.mark.parametrize(
    ("remaining", "state"),
    [(1.0, "open"), (0.51, "open"), (0.5, "careful"), (0.1, "restricted"), (0.0, "exhausted"), (-3.0, "exhausted")],
)
def test_the_state_follows_from_what_is_left(remaining: float, state: str) -> None:
    assert POLICY.state(remaining).name == state


@pytest.mark.parametrize(
    ("before", "remaining", "state"),
    [
        ("exhausted", 0.01, "exhausted"),
        ("exhausted", 0.051, "restricted"),
        ("restricted", 0.12, "restricted"),
        ("restricted", 0.151, "careful"),
        ("careful", 0.52, "careful"),
        ("careful", 0.551, "open"),
        ("exhausted", 0.9, "open"),
        ("open", 0.49, "careful"),
        ("a state of an older policy", 0.52, "open"),
    ],
)
def test_a_state_is_left_for_a_better_one_only_with_a_margin(before: str, remaining: float, state: str) -> None:
    assert POLICY.state(remaining, before).name == state


@given(levels=st.lists(st.floats(-1, 1), min_size=2, max_size=30))
def test_the_state_never_flaps_within_the_margin(levels: list[float]) -> None:
    order = [state.name for state in POLICY.states]
    state, left_at = POLICY.state(levels[0]).name, levels[0]
    for level in levels[1:]:
        now = POLICY.state(level, state).name
        if order.index(now) < order.index(state):
            assert level > left_at
        if now != state:
            state, left_at = now, level


@pytest.mark.parametrize(
    ("change", "budgets", "outcome", "reason"),
    [
        ("rollout", [budget(1.0)], "allow", "100.0% of its budget left (open: ship when ready)"),
        ("schema", [budget(0.3)], "deny", "30.0% of its budget left (careful"),
        ("config", [budget(0.3)], "allow", "careful"),
        ("rollout", [budget(0.05), budget(1.0)], "deny", "restricted"),
        ("rollout", [budget(-0.2)], "deny", "-20.0% of its budget left (exhausted"),
        ("rollout", [budget(1.0, burn=7.5)], "deny", "burns its budget at 7.5x, above 6x"),
        ("rollback", [budget(-0.2, burn=99)], "allow", "a rollback always passes"),
        ("security", [budget(None)], "allow", "a security fix always passes"),
        ("rollout", [budget(None), budget(1.0)], "unknown", "does not know the budget of feed-availability"),
        ("config", [budget(None)], "allow", "does not know"),
        ("rollout", [], "unknown", "does not know the budget of any SLO"),
    ],
)
def test_the_gate_decides_by_state_burn_and_kind(change: str, budgets: list[Budget], outcome: str, reason: str) -> None:
    decision = decide(POLICY, change, budgets)
    assert decision.outcome == outcome
    assert reason in decision.reason
    assert decision.exit_status == {"allow": 0, "deny": 1, "unknown": 2}[outcome]


@given(remaining=st.one_of(st.none(), st.floats(-5, 1)), burn=st.floats(0, 1000), change=st.sampled_from(CHANGES))
def test_rollbacks_and_security_fixes_always_pass(remaining: float | None, burn: float, change: str) -> None:
    decision = decide(POLICY, change, [budget(remaining, burn)])
    if change in ("rollback", "security"):
        assert decision.outcome == "allow"


@pytest.mark.parametrize(
    ("remaining", "burn", "seconds"),
    [
        (1.0, 2.0, 21600),
        (0.5, 14.4, 1500),
        (0.5, 0.5, 43200),
        (0.5, 0.4, None),  # the bad events of one period cannot spend what is left
        (0.5, 0.0, None),
        (0.0, 3.0, None),
        (-0.1, 3.0, None),
        (None, 3.0, None),
    ],
)
def test_the_time_to_exhaustion_follows_from_what_is_left_and_the_burn_rate(
    remaining: float | None, burn: float, seconds: float | None
) -> None:
    assert budget(remaining, burn).exhausted_in_seconds == (None if seconds is None else pytest.approx(seconds))


def test_an_override_needs_a_name_a_reason_and_an_end_and_expires(
    clients: LabClients, pager: FakePager, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients.home.data.mkdir()
    monkeypatch.setattr(gate, "read", lambda *_: [budget(-0.1)])
    now = [1_770_000_000.0]
    monkeypatch.setattr("time.time", lambda: now[0])
    assert ask.ask(clients, "feed", "rollout").outcome == "deny"
    with pytest.raises(UsageError, match="an override needs a reason"):
        ask.override(clients, "feed", "rollout", 30, " ")
    with pytest.raises(UsageError, match="at most 60"):
        ask.override(clients, "feed", "rollout", 61, "why")
    with pytest.raises(UsageError, match="a rollback always passes"):
        ask.override(clients, "feed", "rollback", 30, "why")
    ask.override(clients, "feed", "rollout", 30, "the fix of the outage")
    allowed = ask.require(clients, "feed", "rollout")
    assert allowed.reason.startswith("override by ada until ")
    assert "the fix of the outage" in allowed.reason
    with pytest.raises(UsageError, match="the policy refuses a configuration push of feed"):
        ask.require(clients, "feed", "config")
    now[0] += 30 * 60
    with pytest.raises(UsageError, match="fleetops budget override --service feed --change rollout"):
        ask.require(clients, "feed", "rollout")
    (row,) = [row for row in pager.rows.values() if row["action"] == "budget override"]
    assert (row["actor"], row["target"], row["reason"]) == ("ada", "feed", "the fix of the outage")


def test_the_state_is_remembered_for_the_hysteresis(clients: LabClients, monkeypatch: pytest.MonkeyPatch) -> None:
    clients.home.data.mkdir()
    left = [0.4]
    monkeypatch.setattr(gate, "read", lambda *_: [budget(left[0])])
    for remaining, state in ((0.4, "careful"), (0.52, "careful"), (0.6, "open")):
        left[0] = remaining
        assert ask.ask(clients, "feed", "rollout").state == state


def test_unknown_services_and_changes_are_refused(clients: LabClients) -> None:
    for service, change, why in (("fed", "rollout", "'fed' has no SLO"), ("feed", "deploy", "is not a kind of change")):
        with pytest.raises(UsageError, match=why):
            ask.ask(clients, service, change)


@pytest.mark.parametrize(
    ("old", "new", "key", "why"),
    [
        ("refuses: [schema]", "refuses: [rollback]", "states[1].refuses[0]", "'rollback' is never refused"),
        ("refuses: [schema]", "refuses: [deploy]", "states[1].refuses[0]", "must be one of rollout, config, schema"),
        ("above_ratio: 0.1", "above_ratio: 0.6", "states[1].above_ratio", "0.6 must be below the bound of open"),
        ("above_ratio: 0.1", "above_ratio: 10", "states[1].above_ratio", "must be from 0 to 1"),
        ("    above_ratio: 0.1\n", "", "states[1]", "above_ratio is missing"),
        ("  - name: exhausted", "  - name: exhausted\n    above_ratio: 0", "states[3].above_ratio", "has no bound"),
        ("name: careful", "name: open", "states[1].name", "'open' is the name of another state"),
        ("tier: page.slow", "tier: page.fast", "burning.tier", "must be one of page.quick, page.slow"),
        ("reopen_ratio: 0.05", "reopen_ratio: five", "reopen_ratio", "must be a number"),
        ("override_minutes: 60", "override_minutes: 0", "override_minutes", "must be from 1"),
        ("override_minutes: 60\n", "", "", "override_minutes is missing"),
        ("postmortem_ratio: 0.2", "postmortem_ratio: 20", "postmortem_ratio", "must be from 0 to 1"),
        ("postmortem_ratio: 0.2\n", "", "", "postmortem_ratio is missing"),
        ("unknown_refuses:", "unknown_refusals:", "unknown_refusals", "unknown key"),
    ],
)
def test_an_invalid_policy_is_refused_with_file_line_and_key(
    old: str, new: str, key: str, why: str, tmp_path: Path
) -> None:
    assert old in TEXT
    file = tmp_path / "policy.yml"
    file.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(SpecError) as refusal:
        read_policy(file)
    message = str(refusal.value)
    assert message.startswith(f"{file}:")
    assert f"{key}: " in message
    assert why in message


def test_a_policy_without_hysteresis_follows_the_bounds() -> None:
    plain: Policy = replace(POLICY, reopen_ratio=0.0)
    assert plain.state(0.501, "careful").name == "open"
