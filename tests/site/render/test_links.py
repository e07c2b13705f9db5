"""Relative links between pages."""

from __future__ import annotations

import pytest

from lab.site.render.links import between, page_url


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
def test_a_link_leads_from_any_page_to_any_other(origin: str, target: str, expected: str) -> None:
    assert between(origin, target) == expected


def test_the_address_of_a_page_is_the_one_that_mkdocs_gives_it() -> None:
    assert page_url("06_postmortems/index.md") == "06_postmortems/"
    assert page_url("index.md") == ""
    assert page_url("assets/lab.css") == "assets/lab.css"
