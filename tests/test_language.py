"""The field's words: private terms that were replaced do not come back. Listed exceptions have a reason."""

from __future__ import annotations

import re
import subprocess

from lab.paths import ROOT

# Each was a private word for what the right column says.
RETIRED = {
    r"promise[sd]?\b(?! ?[\((.])": "SLO, objective",
    r"mend(s|ed|ing)?": "fix, mitigate, resolve",
    r"troubles?": "failure, incident, degradation",
    r"lets go": "clears, resolves",
    r"(quick|slow) tier": "fast-burn tier, slow-burn tier",
    r"nobody has it": "unacknowledged",
    r"anew": "again, rebuilt",
    r"foretold|prophec(y|ies)": "predicted, detection model",
    r"desk|leash|hands": "lab clients, exec wrapper, actions",
    r"unmended|unasked": "unmitigated, unplanned",
    r"is none of": "must be one of",
    r"the time is told": "callers pass the time",
    r"(?-i:(MOST|LEAST)_[A-Z_]+|[A-Z_]+_(MOST|LEAST))": "MAX_, MIN_",
}
# (file, the words there): why they stay.
KEPT = {
    ("lab/services/seed.sql", "mend"): "text of seeded posts; other rows would change every recorded feed",
    ("tests/drills/runbook/test_includes.py", "mend"): "a block that a runbook must not have",
    ("tests/drills/runbook/test_runbook.py", "mend"): "a block that a runbook must not have",
    ("tests/test_language.py", ""): "lists the words",
}


def test_retired_words_do_not_come_back() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "lab", "scripts", "tests"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    files = [name for name in tracked if name.endswith((".py", ".js", ".html", ".sql", ".yml"))]
    words = re.compile("|".join(rf"\b(?:{word})\b" for word in RETIRED), re.IGNORECASE)
    kept = dict(KEPT.keys())
    used, problems = set(), []
    for name in files:
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
            for match in words.finditer(line):
                if name in kept and kept[name] in match[0].lower():
                    used.add(name)
                elif "Promise" not in match[0]:  # JavaScript's
                    problems.append(f"{name}:{number}: {match[0]}")
    assert not problems, "say it in the field's terms (RETIRED in this test): " + "; ".join(problems)
    assert used == set(kept), f"no longer needed in KEPT: {set(kept) - used}"
