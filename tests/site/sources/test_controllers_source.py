"""What other controllers do: every statement has a source, and a row without one is refused by its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.errors import SpecError
from lab.site.sources import controllers

ROW = '- case: x\n  here: y\n  argo:\n    text: z\n    sources: ["https://a.example/b"]\n'


def test_every_statement_has_a_source_and_files_are_pinned_to_a_commit() -> None:
    cases = controllers.cases()
    assert len({case.case for case in cases}) == len(cases) >= 12
    sources = [source for case in cases for other in case.others.values() for source in other.sources]
    for source in sources:
        assert "/blob/" not in source or re.search(r"/blob/[0-9a-f]{40}/", source), source
    assert {name for case in cases for name in case.others} == set(controllers.CONTROLLERS)


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (('["https://a.example/b"]', "[]"), r"controllers\.yml:5: .*sources: must be a list with at least one element"),
        (('    sources: ["https://a.example/b"]\n', ""), r"sources is missing"),
        (("https://a", "http://a"), r"'http://a.example/b' is not an https address"),
        (("  argo:", "  spinnaker:"), r"controllers\.yml:3: .*spinnaker"),
    ],
)
def test_a_row_without_a_source_is_refused_by_its_line(tmp_path: Path, change: tuple[str, str], refused: str) -> None:
    file = tmp_path / "controllers.yml"
    file.write_text(ROW)
    assert controllers.cases(file)[0].others["argo"].sources == ("https://a.example/b",)
    file.write_text(ROW.replace(*change))
    with pytest.raises(SpecError, match=refused):
        controllers.cases(file)
