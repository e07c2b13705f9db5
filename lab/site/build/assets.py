"""Files of the built site that no page shows: what the console's scripts read, and the scripts of others."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from lab import units
from lab.drills.runbook import parser
from lab.errors import LabError
from lab.promql_tokens import tokens
from lab.site.build import npm
from lab.site.render import links
from lab.site.sources.context import RUNBOOKS, Book
from lab.site.sources.records import Record

VENDOR = "assets/vendor"
RUNBOOK_DATA = "assets/data/runbooks.json"
REPLAY_DATA = "assets/data/replays.json"
# The lab answers this address itself; a published copy answers with the file, so that nothing ever asks in vain.
SOURCE = "api/source.json"
SEARCH = "search/search_index.json"
SECTIONS = "search/sections.json"
WORKERS = "assets/javascripts/workers"
_BLOCK = re.compile(r"<pre.*?</pre>", re.DOTALL)


def write(book: Book, site: Path) -> None:
    """Everything into the built site; LabError when a script cannot be had."""
    _json(site / RUNBOOK_DATA, runbooks(book))
    _json(site / REPLAY_DATA, replays(book))
    _json(site / SOURCE, {"live": False})
    npm.put_into(site / VENDOR)
    defer_search(site)


def defer_search(site: Path) -> None:
    """Let pages load the search's engine and sections when somebody searches: they weigh more than most pages.

    The runbooks' commands are left out of the sections, the prose beside them stays. LabError for another theme.
    """
    index, late = site / SEARCH, site / WORKERS / "late.js"
    if not index.exists():
        return
    engines = sorted((site / WORKERS).glob("search.*.min.js"))
    if len(engines) != 1 or not late.exists():
        raise LabError(f"{WORKERS} of the theme holds {len(engines)} search workers, not one")
    engines[0].rename(site / WORKERS / "engine.js")
    late.rename(engines[0])
    found = json.loads(index.read_text(encoding="utf-8"))
    for entry in found["docs"]:
        if entry["location"].startswith(links.page_url(RUNBOOKS)):
            entry["text"] = _BLOCK.sub("", entry["text"])
    _json(site / SECTIONS, found["docs"])
    _json(index, found | {"docs": []})


def runbooks(book: Book) -> dict[str, Any]:
    """Each alert's section by its anchor: title, and branches with their commands as printed."""
    return {
        section.anchor: {
            "title": section.title,
            "branches": [
                {"number": branch.number, "title": branch.title}
                | {step: list(getattr(branch, step)) for step in parser.STEPS}
                for branch in section.branches()
            ],
        }
        for section in parser.sections(book.docs / RUNBOOKS)
    }


def replays(book: Book) -> list[dict[str, Any]]:
    """Every committed record as the console's list of replays has it, the address below the site's root."""
    incidents_first = sorted(book.records, key=lambda record: (not record.ident.startswith("INC"), record.ident))
    return [_replay(book, record) for record in incidents_first]


def _replay(book: Book, record: Record) -> dict[str, Any]:
    postmortem = book.postmortem(record.ident)
    return {
        "id": record.ident,
        "title": record["drill"]["title"],
        "recorded": units.minute(record["started_at"]),
        "factor": record.factor,
        "href": record.path,
        "postmortem": links.page_url(postmortem) if postmortem else None,
        "queries": {signal["query"]: tokens(signal["query"]) for signal in record["signals"]},
    }


def _json(file: Path, data: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(data, separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8")
