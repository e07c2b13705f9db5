"""Words that pages use, as the language of the project has them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.paths import DOCS

# Runbooks are inputs of records, so they change with the next campaign of drills.
PAGES = sorted(page for page in DOCS.rglob("*.md") if page.name != "03_runbooks.md" and "templates" not in page.parts)
PAGES += sorted((DOCS / "assets").rglob("*.js"))
WORDS = {
    r"\bdear\b": "expensive",
    r"\bmend(s|ed|ing)?\b": "fix, mitigate",
    r"\blets go\b": "clears",
    r"\b(fast|quick|slow)(-burn)? (page|ticket) tiers?\b|\bquick tier\b|\bpage\.quick\b": "fast burn, slow burn",
    r"\busers hit\b|\brequests hit\b|\banyone hurt\b": "affected",
    r"\bpaged through\b": "with pages sent through",
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_uses_the_words_of_the_project(page: Path) -> None:
    prose = page.read_text()
    found = [f"{hit[0]!r}: say {said}" for word, said in WORDS.items() for hit in re.finditer(word, prose, re.I)]
    assert not found
