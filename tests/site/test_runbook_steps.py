"""The Markdown extension that marks runbook steps as `kbd`."""

from __future__ import annotations

import html
import re

from markdown import markdown

EXTENSIONS = ["lab.site.markdown.runbook_steps", "attr_list", "pymdownx.highlight", "pymdownx.superfences"]
COMMAND = """fleetops query 'a{b="c"} <= 0.01' --wait 60"""


def test_a_step_is_a_kbd_with_unchanged_text() -> None:
    steps = ("check", "mitigate", "validate")
    fences = [f"``` {{ .bash .{step} }}\n{COMMAND}\nfleetops status\n```\n" for step in steps]
    made = markdown("\n".join(fences), extensions=EXTENSIONS)
    typed = re.findall(r"<pre><kbd>(.*?)</kbd></pre>", made, re.DOTALL)
    assert [html.unescape(re.sub(r"<[^>]+>", "", step)) for step in typed] == [f"{COMMAND}\nfleetops status\n"] * 3
    assert "<code" not in made
    assert '<span class="s1">' in made  # still highlighted


def test_any_other_block_stays_code() -> None:
    made = markdown("``` { .bash }\nmake lab\n```\n\n``` { .bash .checked }\nmake test\n```\n", extensions=EXTENSIONS)
    assert made.count("<code>") == 2
    assert "<kbd>" not in made
