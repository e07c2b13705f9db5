"""The runbook page on the site: its includes give what the autopilot reads, and a wrong one stops the build."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined

from lab.drills.runbook.includes import page_lines
from lab.errors import SpecError
from lab.paths import DOCS, RUNBOOKS
from lab.site import macros
from lab.site.sources.context import RUNBOOKS as PAGE
from lab.site.sources.context import SiteContext


def same_call(name: str) -> Any:
    """A macro that gives its own call, so that nothing but the includes is filled in."""
    return lambda alert: f'{{{{ {name}("{alert}") }}}}'


def test_the_macros_fill_in_what_programs_read() -> None:
    views = macros.views(SiteContext(page=lambda: PAGE))
    jinja = Environment(undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701 - as mkdocs-macros has it
    shown = jinja.from_string(RUNBOOKS.read_text()).render(
        branch=views["branch"],
        recovered=views["recovered"],
        alert_rule=same_call("alert_rule"),
        last_exercised=same_call("last_exercised"),
    )
    assert shown == "\n".join(line.text for line in page_lines(RUNBOOKS))


def test_a_wrong_include_is_reported_with_its_line_before_the_page_is_rendered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / PAGE).write_text('# Runbooks\n\n## FeedSlow\n\n### 1. {{ branch("An index is gone") }}\n')
    env: Any = SimpleNamespace(site_context=SiteContext(docs=tmp_path), page=SimpleNamespace(path=PAGE))
    with pytest.raises(SpecError, match=r"03_runbooks\.md:5: .*has no 'An index is gone'"):
        macros.on_pre_page_macros(env)
    assert f"site: docs/{PAGE}: {tmp_path / PAGE}:5: " in capsys.readouterr().err


def test_the_file_with_the_shared_branches_is_not_published() -> None:
    from mkdocs.config import load_config
    from mkdocs.structure.files import get_files, set_exclusions

    config = load_config(str(DOCS.parent / "mkdocs.yml"), plugins=[])
    files = get_files(config)
    set_exclusions(files, config)
    published = [page.src_uri for page in files.documentation_pages()]
    assert PAGE in published
    assert f"templates/{PAGE}" not in published
