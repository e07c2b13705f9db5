"""The macros a page may call: each view of the rooms behind, with the book it reads from already in its hand."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any, Protocol

from mkdocs.exceptions import PluginError

from lab.errors import LabError
from lab.site.build import assets
from lab.site.sources import postmortem_pages, query_check
from lab.site.sources.context import Book
from lab.site.views import (
    benchmarks,
    burn_rate,
    charts,
    cross_links,
    detection,
    diagrams,
    drill_catalogue,
    drills,
    evidence,
    footer,
    incident,
    oncall,
    postmortems,
    registers,
    rules,
    services,
    slo,
)

ROOMS = (
    slo,
    burn_rate,
    rules,
    benchmarks,
    detection,
    incident,
    charts,
    evidence,
    drill_catalogue,
    cross_links,
    registers,
    services,
    diagrams,
    drills,
    oncall,
    postmortems,
)


class Environment(Protocol):
    """What mkdocs-macros hands to `define_env`."""

    page: Any
    conf: Any
    markdown: str
    book: Book  # put there by define_env

    def macro(self, function: Callable[..., Any], name: str = "") -> Any:
        """Register a macro."""


def views(book: Book) -> dict[str, partial[Any]]:
    """Every macro by name."""
    return {view.__name__: partial(view, book) for room in ROOMS for view in room.VIEWS}


def source(page: Any) -> str:
    """A page's file below docs/: MkDocs names it in `file`, Zensical, which reads the same mkdocs.yml, in `path`."""
    return str(page.file.src_uri if hasattr(page, "file") else page.path)


def define_env(env: Environment) -> None:
    """Called by mkdocs-macros once a build."""
    book = env.book = Book(docs=Path(env.conf["docs_dir"]), page=lambda: source(env.page))
    for name, view in views(book).items():
        env.macro(_outspoken(view, env), name)


def _outspoken(view: Callable[..., Any], env: Environment) -> Callable[..., Any]:
    """The view, whose refusal is told in one line: mkdocs-macros ends the build and, under --quiet, says nothing."""

    @wraps(getattr(view, "func", view))
    def told(*given: Any, **named: Any) -> Any:
        with _telling(env):
            return view(*given, **named)

    return told


@contextmanager
def _telling(env: Environment) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        said = error if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
        sys.stderr.write(f"site: docs/{source(env.page)}: {said}\n")
        raise


def on_post_page_macros(env: Environment) -> None:
    """Called for each page when its macros have run: its queries and typed numbers are checked, its dates are shown."""
    file = env.book.docs / source(env.page)
    with _telling(env):
        postmortem_pages.require_no_typed(file, source(env.page))
        for line, query in query_check.asked(file.read_text(encoding="utf-8")):
            query_check.require(env.book, f"line {line}", query)
    asked, env.book.records.asked = env.book.records.asked, {}
    changed = footer.last_change(file)
    if changed:
        env.page.update_date = changed
    env.markdown += footer.foot(env.book, changed, list(asked.values()))


def on_post_build(env: Environment) -> None:
    """Called once when all pages stand: what the console reads is written beside them."""
    try:
        assets.write(env.book, Path(env.conf["site_dir"]))
    except LabError as error:
        raise PluginError(f"the site's console: {error}") from error
