"""A page and its place: its address, its links, and the macros it may call."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.paths import DOCS
from lab.site import macros
from lab.site.render.links import between, page_url
from lab.site.sources.context import Book
from lab.site.views import postmortems


@pytest.mark.parametrize(
    ("origin", "target", "expected"),
    [
        ("index.md", "lab.md", "lab/"),
        ("lab.md", "index.md", "../"),
        ("06_postmortems/INC-001_x.md", "03_runbooks.md#a", "../../03_runbooks/#a"),
        ("06_postmortems/index.md", "06_postmortems/INC-001_x.md", "INC-001_x/"),
        ("03_runbooks.md", "records/INC-001.json", "../records/INC-001.json"),
        ("404.md", "404.md#x", "./#x"),
    ],
)
def test_links_lead_from_any_page_to_any_other(origin: str, target: str, expected: str) -> None:
    assert between(origin, target) == expected


def test_a_pages_address_is_mkdocs_own() -> None:
    assert page_url("06_postmortems/index.md") == "06_postmortems/"
    assert page_url("index.md") == ""
    assert page_url("assets/lab.css") == "assets/lab.css"


def test_every_macro_a_page_calls_exists_and_every_macro_is_called_and_has_a_docstring() -> None:
    views = macros.views(Book())
    called = {
        name
        for page in DOCS.rglob("*.md")
        for block in re.findall(r"\{\{(.*?)\}\}", page.read_text(), re.S)
        for name in re.findall(r"([a-z_]+)\(", block)
    } - {"replace"}
    assert called == set(views)
    assert all(view.func.__doc__ for view in views.values())


def test_a_page_is_known_by_its_file_to_mkdocs_and_by_its_path_to_zensical() -> None:
    assert macros.source(SimpleNamespace(file=SimpleNamespace(src_uri="a/b.md"), path="elsewhere")) == "a/b.md"
    assert macros.source(SimpleNamespace(path="a/b.md")) == "a/b.md"


def test_a_macro_reads_the_page_that_asks(book: Book, tmp_path: Path) -> None:
    there = Book(docs=book.docs, page=lambda: "06_postmortems/index.md")
    assert 'href="../03_runbooks/#feedlatencyp99burn"' in str(postmortems.postmortem_index(there))
    assert tmp_path in book.docs.parents
