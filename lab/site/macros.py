"""The mkdocs-macros plugin: it registers the views as macros, checks each page and writes the console's data.

A macro is a function of `lab.site.views` whose first argument, the site context, is already bound.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any, Protocol

from mkdocs.exceptions import PluginError

from lab.drills.runbook.includes import page_lines
from lab.errors import LabError
from lab.site.build import assets
from lab.site.sources import postmortem_pages, query_check
from lab.site.sources.context import SiteContext
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
    runbook_branches,
    services,
    slo,
    traces,
)
from lab.site.views.change import ledger, log, policies, pushes, rollouts, simulations

VIEW_MODULES = (
    slo,
    burn_rate,
    rules,
    benchmarks,
    detection,
    incident,
    charts,
    evidence,
    traces,
    drill_catalogue,
    cross_links,
    registers,
    policies,
    log,
    rollouts,
    pushes,
    simulations,
    ledger,
    services,
    diagrams,
    drills,
    oncall,
    postmortems,
    runbook_branches,
)


class Environment(Protocol):
    """The part of mkdocs-macros' plugin object that this module uses."""

    page: Any
    conf: Any
    markdown: str
    site_context: SiteContext  # set by define_env

    def macro(self, function: Callable[..., Any], name: str = "") -> Any:
        """Registers `function` as the macro `name`."""


def views(context: SiteContext) -> dict[str, partial[Any]]:
    """Every macro by its name, each with `context` bound as its first argument."""
    return {view.__name__: partial(view, context) for module in VIEW_MODULES for view in module.VIEWS}


def source(page: Any) -> str:
    """The path of a page's file below docs/. MkDocs has it in `page.file`, Zensical in `page.path`."""
    return str(page.file.src_uri if hasattr(page, "file") else page.path)


def define_env(env: Environment) -> None:
    """Hook of mkdocs-macros, called once per build: registers every macro."""
    context = env.site_context = SiteContext(docs=Path(env.conf["docs_dir"]), page=lambda: source(env.page))
    for name, view in views(context).items():
        env.macro(_with_errors_reported(view, env), name)


def _with_errors_reported(view: Callable[..., Any], env: Environment) -> Callable[..., Any]:
    """The view, its errors written to stderr: mkdocs-macros stops the build, but under --quiet it prints no reason."""

    @wraps(getattr(view, "func", view))
    def reporting(*args: Any, **kwargs: Any) -> Any:
        with _errors_reported(env):
            return view(*args, **kwargs)

    return reporting


@contextmanager
def _errors_reported(env: Environment) -> Iterator[None]:
    """Writes an error of the block to stderr in one line that names the page, and raises it again."""
    try:
        yield
    except Exception as error:
        message = error if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
        sys.stderr.write(f"site: docs/{source(env.page)}: {message}\n")
        raise


def on_pre_page_macros(env: Environment) -> None:
    """Hook of mkdocs-macros, called before a page's macros run. Raises SpecError by line for a wrong include."""
    with _errors_reported(env):
        page_lines(env.site_context.docs / source(env.page))


def on_post_page_macros(env: Environment) -> None:
    """Hook of mkdocs-macros, called when a page's macros have run: checks the page's source and adds its footer.

    Raises LabError for a number typed by hand and for a query of an unknown series.
    """
    docs = env.site_context.docs
    file = docs / source(env.page)
    lines = page_lines(file)
    with _errors_reported(env):
        postmortem_pages.require_no_typed_number(file, source(env.page))
        for line in lines:
            for query in query_check.queries(line.text):
                place = f"line {line.number} of {line.file.relative_to(docs).as_posix()}"
                query_check.require(env.site_context, place, query)
    records = env.site_context.records.pop_used()
    changed = max(footer.last_change(file) for file in {line.file for line in lines})
    if changed:
        env.page.update_date = changed
    env.markdown += footer.foot(env.site_context, changed, records)


def on_post_build(env: Environment) -> None:
    """Hook of mkdocs-macros, called when all pages are built: writes the data that the console's scripts read."""
    try:
        assets.write(env.site_context, Path(env.conf["site_dir"]))
    except LabError as error:
        raise PluginError(f"the site's console: {error}") from error
