"""The escalation policy on pages."""

from __future__ import annotations

import re

import pytest
from support import text

from lab.oncall import escalation
from lab.paths import DOCS
from lab.site.sources.context import SiteContext
from lab.site.views import (
    oncall,
)


def test_the_playbook_states_the_pagers_own_escalation_policy(
    context: SiteContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(escalation, "AFTER_SECONDS", 420.0)
    monkeypatch.setattr(escalation, "TO", "third on-call")
    assert (text(oncall.escalation_after(context)), oncall.escalation_to(context)) == ("7 min", "third on-call")
    playbook = (DOCS / "07_oncall_playbook.md").read_text(encoding="utf-8")
    row = "| {{ escalation_after() }} without an acknowledgement | {{ escalation_to() }} | the pager, by itself |"
    assert row in playbook
    assert re.findall(r"\b(?:5 min|(?:within|after) five minutes)\b", playbook) == []
