"""The freeze calendar: when a freeze is in force, what still passes, and what is refused in its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.change import ask, freeze, gate
from lab.change.freeze import Freeze, in_force, read_freezes
from lab.change.gate import Budget, decide
from lab.change.policy import CHANGES, read_policy
from lab.clients.times import epoch_seconds
from lab.control.lab_clients import LabClients
from lab.errors import SpecError, UsageError

TEXT = freeze.FILE.read_text(encoding="utf-8")
SALE = Freeze("sale", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", ("feed",), frozenset({"rollout"}), "busy days")
START, END = (epoch_seconds(text) for text in (SALE.start, SALE.end))
FULL = [Budget("feed-availability", 1.0, 0.0, 6.0, 43_200.0)]


@pytest.mark.parametrize(
    ("now", "frozen"), [(START - 0.001, False), (START, True), (END - 0.001, True), (END, False)]
)  # fmt: skip
def test_a_freeze_begins_at_its_start_and_ends_before_its_end(now: float, frozen: bool) -> None:
    assert bool(in_force([SALE], "feed", "rollout", now)) is frozen


def test_a_freeze_is_of_its_services_and_kinds_of_change() -> None:
    assert in_force([SALE], "feed", "rollout", START) == "freeze 'sale' until 2026-01-03T00:00:00Z: busy days"
    assert in_force([SALE], "user", "rollout", START) == in_force([SALE], "feed", "config", START) == ""


@pytest.mark.parametrize("change", CHANGES)
def test_a_freeze_refuses_what_can_be_refused_with_any_budget(change: str) -> None:
    decision = decide(read_policy(), change, FULL, freeze="freeze 'sale'")
    always = change in ("rollback", "security")
    assert decision.outcome == ("allow" if always else "deny")
    assert ("freeze 'sale'" in decision.reason) is not always
    assert decide(read_policy(), change, FULL, override="override by ada", freeze="freeze 'sale'").outcome == "allow"
    if not always:
        assert decide(read_policy(), change, [], freeze="freeze 'sale'").outcome == "deny", "known without any budget"


def test_the_gate_asks_the_calendar(clients: LabClients, monkeypatch: pytest.MonkeyPatch) -> None:
    clients.home.data.mkdir()
    monkeypatch.setattr(gate, "read", lambda *_: FULL)
    monkeypatch.setattr(freeze, "read_freezes", lambda: (SALE,))
    monkeypatch.setattr("time.time", lambda: START)
    with pytest.raises(UsageError, match="the policy refuses a rollout of feed: freeze 'sale' until 2026-01-03"):
        ask.require(clients, "feed", "rollout")
    assert ask.ask(clients, "user", "rollout").outcome == ask.ask(clients, "feed", "config").outcome == "allow"
    ask.override(clients, "feed", "rollout", 30, "the launch is today")
    assert ask.require(clients, "feed", "rollout").reason.startswith("override by ada until ")


@pytest.mark.parametrize(
    ("old", "new", "key", "why"),
    [
        ("refuses: [rollout, schema]", "refuses: [security]", "refuses[0]", "'security' is never refused"),
        ("services: [feed, user]", "services: [feeds]", "services[0]", "'feeds' must be one of"),
        ("from: 2026-11-27T00:00:00Z", "from: 2026-11-31T00:00:00Z", "from", "is not a timestamp"),
        ("from: 2026-11-27T00:00:00Z", "from: 2026-11-27T00:00:00+01:00", "from", "must be in UTC and end with Z"),
        ("until: 2026-11-30T00:00:00Z", "until: 2026-11-27T00:00:00Z", "until", "must be after 2026-11-27"),
        ("    why: ", "    because: ", "because", "unknown key"),
    ],
)
def test_what_the_calendar_cannot_mean_is_refused_by_file_line_and_key(
    old: str, new: str, key: str, why: str, tmp_path: Path
) -> None:
    assert old in TEXT
    file = tmp_path / "freeze.yml"
    file.write_text(TEXT.replace(old, new))
    with pytest.raises(SpecError, match=why) as refused:
        read_freezes(file)
    assert f"freezes[0].{key}" in str(refused.value) and "freeze.yml:" in str(refused.value)


def test_without_a_file_nothing_is_frozen(tmp_path: Path) -> None:
    assert read_freezes(tmp_path / "none.yml") == ()
    assert read_freezes()
