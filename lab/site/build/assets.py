"""Files that the build writes beside the pages: the console's data, third-party scripts and the search index."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from lab import units
from lab.clients.documents import Document
from lab.drills.runbook import parser
from lab.drills.schema.record import ExemplaryTrace
from lab.errors import LabError
from lab.promql_tokens import Token, tokens
from lab.site.build import guess, npm
from lab.site.render import links
from lab.site.sources.context import RUNBOOKS, SiteContext
from lab.site.sources.records import Record
from lab.tracing.drawing import waterfall

VENDOR = "assets/vendor"
RUNBOOK_DATA = "assets/data/runbooks.json"
REPLAY_DATA = "assets/data/replays.json"
# A lab's console serves this address itself. A published copy serves the file, so the request never fails.
SOURCE = "api/source.json"
SEARCH = "search/search_index.json"
SECTIONS = "search/sections.json"
WORKERS = "assets/javascripts/workers"
_BLOCK = re.compile(r"<pre.*?</pre>", re.DOTALL)


class RunbookSection(Document, frozen=True, kw_only=True):
    """One section of the runbooks, as the console shows it: its branches with the commands of each step."""

    title: str
    branches: Sequence[parser.Branch]


class Replay(Document, frozen=True, kw_only=True):
    """One committed record in the console's list of replays.

    `href`, `traces` and `postmortem` are relative to the site's root; `queries` are those of its signals, as tokens.
    `traces` holds its exemplary traces as HTML by id, if it has any.
    """

    id: str
    title: str
    recorded: str
    factor: int
    href: str
    traces: str | None
    postmortem: str | None
    queries: Mapping[str, Sequence[Token]]


def write(context: SiteContext, site: Path) -> None:
    """Writes every file into `site`, the built site. Raises ToolError when a script cannot be fetched."""
    _json(site / RUNBOOK_DATA, runbooks(context))
    _json(site / REPLAY_DATA, replays(context))
    for record in context.records:
        if drawn := {one.trace.trace_id: _waterfall(one) for one in record.traces}:
            _json(site / _traces(record), drawn)
    for path, document in guess.files(context, context.records):
        _json(site / path, document)
    _json(site / SOURCE, {"live": False})
    npm.put_into(site / VENDOR)
    defer_search(site)


def defer_search(site: Path) -> None:
    """Makes the theme load its search engine and index at the first search: together they are larger than most pages.

    Leaves the runbooks' commands out of the index but keeps their prose. Raises LabError unless the theme has
    exactly one search worker, and the site late.js.
    """
    index, late = site / SEARCH, site / WORKERS / "late.js"
    if not index.exists():
        return
    engines = sorted((site / WORKERS).glob("search.*.min.js"))
    if len(engines) != 1 or not late.exists():
        raise LabError(f"{WORKERS} must contain late.js and one search.*.min.js; it has {len(engines)} of the latter")
    engines[0].rename(site / WORKERS / "engine.js")
    late.rename(engines[0])
    search_index = json.loads(index.read_text(encoding="utf-8"))
    for entry in search_index["docs"]:
        if entry["location"].startswith(links.page_url(RUNBOOKS)):
            entry["text"] = _BLOCK.sub("", entry["text"])
    _json(site / SECTIONS, search_index["docs"])
    _json(index, search_index | {"docs": []})


def runbooks(context: SiteContext) -> dict[str, RunbookSection]:
    """Each runbook section by its anchor."""
    return {
        section.anchor: RunbookSection(title=section.title, branches=section.branches())
        for section in parser.sections(context.docs / RUNBOOKS)
    }


def replays(context: SiteContext) -> list[Replay]:
    """Every committed record, incidents first."""
    incidents_first = sorted(context.records, key=lambda record: (not record.ident.startswith("INC"), record.ident))
    return [_replay(context, record) for record in incidents_first]


def _replay(context: SiteContext, record: Record) -> Replay:
    postmortem = context.postmortem(record.ident)
    return Replay(
        id=record.ident,
        title=record.data.drill.title,
        recorded=units.minute(record.data.started_at),
        factor=record.factor,
        href=record.path,
        traces=_traces(record) if record.traces else None,
        postmortem=links.page_url(postmortem) if postmortem else None,
        queries={signal.query: tokens(signal.query) for signal in record.data.signals},
    )


def _traces(record: Record) -> str:
    return str(Path(record.path).with_suffix(".traces.json"))


def _waterfall(one: ExemplaryTrace) -> str:
    return str(waterfall(one.trace, label=f"Trace {one.trace.trace_id}, {one.role}"))


def _json(file: Path, document: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.encode(document) + b"\n")
