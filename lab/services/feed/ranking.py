"""Ranks the posts for a viewer: an expensive query, tens of milliseconds of database time."""

from __future__ import annotations

from pathlib import Path

from lab.services.db import Session

PAGE_ITEMS = 16
# The number of candidate authors, and of recent posts of each, determine the cost of an uncached feed.
CANDIDATE_AUTHORS = 300
POSTS_EACH = 10

_RANKING = (Path(__file__).parent / "ranking.sql").read_bytes()


def rank(session: Session, viewer_id: int) -> list[int]:
    """Ids of the highest-ranked posts for the viewer, at most PAGE_ITEMS, best first. One round trip."""
    values = {"viewer": viewer_id, "candidates": CANDIDATE_AUTHORS, "posts_each": POSTS_EACH, "page": PAGE_ITEMS}
    return [row[0] for row in session.rows("feed.rank", _RANKING, values)]
