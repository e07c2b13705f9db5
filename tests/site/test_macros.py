"""The macros that pages call."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

from lab.paths import DOCS
from lab.site import macros
from lab.site.sources.context import SiteContext
from lab.site.views import postmortems


def test_every_macro_a_page_calls_exists_and_every_macro_is_called_and_has_a_docstring() -> None:
    views = macros.views(SiteContext())
    called = {
        name
        for page in DOCS.rglob("*.md")
        for block in re.findall(r"\{\{(.*?)\}\}", page.read_text(), re.S)
        for name in re.findall(r"([a-z_]+)\(", block)
    } - {"replace"}
    assert called == set(views)
    assert all(view.func.__doc__ for view in views.values())


def test_the_source_of_a_page_is_its_file_in_mkdocs_and_its_path_in_zensical() -> None:
    assert macros.source(SimpleNamespace(file=SimpleNamespace(src_uri="a/b.md"), path="elsewhere")) == "a/b.md"
    assert macros.source(SimpleNamespace(path="a/b.md")) == "a/b.md"


def test_a_macro_links_from_the_page_that_calls_it(context: SiteContext, tmp_path: Path) -> None:
    there = SiteContext(docs=context.docs, page=lambda: "06_postmortems/index.md")
    assert 'href="../03_runbooks/#feedlatencyp99burn"' in str(postmortems.postmortem_index(there))
    assert tmp_path in context.docs.parents
