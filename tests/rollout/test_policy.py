"""The rollout policy: its bounds, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import SpecError
from lab.rollout.policy import FILE, read_policy
from lab.slo.catalogue import LAB, find_slo, load_windows

TEXT = FILE.read_text(encoding="utf-8")


def test_the_labs_policy_bounds_each_step_by_the_page_at_the_next_weight() -> None:
    policy, windows = read_policy(), load_windows(LAB)
    availability, p99 = find_slo("feed-availability"), find_slo("feed-latency-p99")
    # The fast burn's factor is 14.4; the budgets are 0.1 % and 1 %.
    bounds = [policy.bound(availability, windows, step) for step in range(4)]
    assert bounds == pytest.approx([0.0144 / 0.25, 0.0144 / 0.5, 0.0144, 0.0144])
    assert [policy.bound(p99, windows, step) for step in range(4)] == pytest.approx([0.576, 0.288, 0.144, 0.144])
    assert [policy.clean_requests(availability, windows, step) for step in range(4)] == [74, 150, 303, 303]


@pytest.mark.parametrize(
    ("old", "new", "key", "why"),
    [
        ("[5, 25, 50, 100]", "[5, 25, 25, 100]", "steps_percent[2]", "25 must be above the step before, 25"),
        ("[5, 25, 50, 100]", "[5, 25, 50]", "steps_percent[2]", "50 must be 100"),
        ("[5, 25, 50, 100]", "[0, 100]", "steps_percent[0]", "must be from 0.01 to 100"),
        ("[5, 25, 50, 100]", "5", "steps_percent", "must be a list"),
        ("[5, 25, 50, 100]", "[five, 100]", "steps_percent[0]", "must be a number"),
        ("margin: 2", "margin: 0.5", "margin", "0.5 must be from 1 to 100"),
        ("alpha: 0.01", "alpha: 2", "alpha", "must be from 1e-06 to 0.2"),
        ("confidence: 0.95", "confidence: 95", "confidence", "must be from 0.5"),
        ("on_deadline: hold", "on_deadline: promote", "on_deadline", "must be one of hold, abort"),
        ("tier: page.quick", "tier: page.fast", "tier", "must be one of page.quick, page.slow"),
        ("restarts: 3", "restarts: 1.5", "restarts", "must be a whole number"),
        ("deadline_seconds: 120", "deadline_seconds: 10", "deadline_seconds", "10 must be above dwell_seconds, 10"),
        ("margin: 2", "margn: 2", "margn", "unknown key (did you mean 'margin'?)"),
        ("margin: 2\n", "", "", "margin is missing"),
        ("steps_percent: [5, 25, 50, 100]\n", "", "", "steps_percent is missing"),
    ],
)
def test_an_invalid_policy_is_refused_with_file_line_and_key(
    old: str, new: str, key: str, why: str, tmp_path: Path
) -> None:
    assert old in TEXT
    file = tmp_path / "rollout.yml"
    file.write_text(TEXT.replace(old, new))
    with pytest.raises(SpecError) as refusal:
        read_policy(file)
    message = str(refusal.value)
    assert message.startswith(f"{file}:")
    assert f"{key}: " in message
    assert why in message
    assert "\n" not in message
